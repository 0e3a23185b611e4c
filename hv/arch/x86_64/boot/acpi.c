/* SPDX-License-Identifier: Apache-2.0 */
/* The ACPI tables of a PC. ACPI 6.5, section 5.2; each table names its own. */
#include "arch/x86_64/boot/acpi.h"

#include "arch/x86_64/boot/acpi_script.h"
#include "arch/x86_64/boot/dsdt.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"

#define TABLE_LIMIT (UINT64_C(1) << 32)

/* Of all tables but RSDP and FACS (table 5.5). */
#define TABLE_LENGTH   4
#define TABLE_CHECKSUM 9

#define OEM_ID          "TWINAX"
#define OEM_TABLE_ID    "TWINAX  "
#define OEM_REVISION    1
#define CREATOR_ID      "TWNX"
#define CREATOR_VERSION 1

/* Where the RSDP ends, and the other tables begin. */
#define RSDP_SIZE 36
#define TABLES_AT ACPI_ALIGN
_Static_assert(RSDP_SIZE <= TABLES_AT, "the RSDP has its place");

/*
 * Tables are at `base`, or, where firmware places them, in two files: then a
 * pointer is an offset in ACPI_FILE_TABLES, a checksum 0, and the script says
 * what becomes of them.
 */
struct builder {
    const struct acpi_machine *machine;
    uint64_t base;
    struct blob blob;
    struct blob *script; /* NULL: there is none */
};

/* The file that has `offset`, and where in it that is. */
static const char *file_of(size_t *offset)
{
    if (*offset < TABLES_AT)
        return ACPI_FILE_RSDP;
    *offset -= TABLES_AT;
    return ACPI_FILE_TABLES;
}

/* The sum of bytes, modulo 256: every other byte of eight in a lane of 16 bits.
 */
#define SUM_LANES UINT64_C(0x00ff00ff00ff00ff)

static uint8_t sum_of(const uint8_t *bytes, size_t count)
{
    uint64_t lanes = 0;
    size_t i = 0;

    for (; i + sizeof(lanes) <= count; i += sizeof(lanes)) {
        uint64_t word;

        memcpy(&word, bytes + i, sizeof(word));
        lanes += (word & SUM_LANES) + (word >> 8 & SUM_LANES);
        lanes &= SUM_LANES;
    }
    for (; i < count; i++)
        lanes += bytes[i];
    return (uint8_t)(lanes + (lanes >> 16) + (lanes >> 32) + (lanes >> 48));
}

static void set_checksum(struct builder *builder, size_t start, size_t count,
                         size_t at)
{
    struct blob *blob = &builder->blob;

    if (builder->script != NULL) {
        const char *file = file_of(&at);

        (void)file_of(&start);
        acpi_script_checksum(builder->script, file, at, start, count);
        return;
    }
    if (blob->is_full)
        return;
    blob_patch(blob, at, (uint8_t)-sum_of(blob->bytes + start, count), 1);
}

/* The address of the table at `target` becomes the number at `at`. */
static void set_pointer(struct builder *builder, size_t at, unsigned width,
                        size_t target)
{
    blob_patch(&builder->blob, at, builder->base + target, width);
    if (builder->script != NULL) {
        const char *file = file_of(&at);

        acpi_script_pointer(builder->script, file, at, width, ACPI_FILE_TABLES);
    }
}

/* Begins a table; what is put until its end is its contents. */
static size_t begin_table(struct builder *builder, const char *signature,
                          uint8_t revision)
{
    struct blob *blob = &builder->blob;
    size_t start;

    blob_align(blob, 16);
    start = blob->used;
    blob_put_bytes(blob, signature, 4);
    blob_put(blob, 0, 4); /* length */
    blob_put(blob, revision, 1);
    blob_put(blob, 0, 1); /* checksum */
    blob_put_bytes(blob, OEM_ID, 6);
    blob_put_bytes(blob, OEM_TABLE_ID, 8);
    blob_put(blob, OEM_REVISION, 4);
    blob_put_bytes(blob, CREATOR_ID, 4);
    blob_put(blob, CREATOR_VERSION, 4);
    return start;
}

static void end_table(struct builder *builder, size_t start)
{
    struct blob *blob = &builder->blob;

    blob_patch(blob, start + TABLE_LENGTH, blob->used - start, 4);
    set_checksum(builder, start, blob->used - start, start + TABLE_CHECKSUM);
}

/* FACS, section 5.2.10 -----------------------------------------------------*/

#define FACS_SIZE    64
#define FACS_VERSION 2

static size_t put_facs(struct builder *builder)
{
    size_t start;

    blob_align(&builder->blob, ACPI_ALIGN);
    start = builder->blob.used;
    blob_put_bytes(&builder->blob, "FACS", 4);
    blob_put(&builder->blob, FACS_SIZE, 4);
    (void)blob_reserve(&builder->blob, 24); /* nobody has ever slept */
    blob_put(&builder->blob, FACS_VERSION, 1);
    (void)blob_reserve(&builder->blob, 31);
    return start;
}

/* DSDT, section 5.2.11.1 ---------------------------------------------------*/

static size_t put_dsdt(struct builder *builder)
{
    size_t start = begin_table(builder, "DSDT", 2); /* 64-bit integers */

    dsdt_put(&builder->blob, builder->machine);
    end_table(builder, start);
    return start;
}

/* FADT, section 5.2.9 ------------------------------------------------------*/

#define FADT_SIZE  276
#define FADT_MAJOR 6
#define FADT_MINOR 5

#define PM_EVENT_BYTES   4
#define PM_CONTROL_BYTES 2
#define PM_TIMER_BYTES   4

/* Latencies that say that there is no C2, no C3. */
#define NO_C2 101
#define NO_C3 1001

#define CMOS_CENTURY 0x32

/* IAPC_BOOT_ARCH, table 5.11. */
#define LEGACY_DEVICES       BIT(0)
#define HAS_8042             BIT(1)
#define VGA_NOT_PRESENT      BIT(2)
#define CMOS_RTC_NOT_PRESENT BIT(5)

/* Feature flags, table 5.10: those that are not sleep and power buttons of
 * fixed hardware, which it lacks, say what there is. */
#define WBINVD        BIT(0)
#define PROC_C1       BIT(2)
#define NO_PWR_BUTTON BIT(4)
#define NO_SLP_BUTTON BIT(5)
#define NO_FIX_RTC    BIT(6)
#define TMR_VAL_EXT   BIT(8)
#define RESET_REG_SUP BIT(10)

#define RESET_PORT  0xcf9
#define RESET_VALUE 0x06 /* SYS_RST, RST_CPU */

/* Generic Address Structure (section 5.2.3.2), of a port: its words from low
 * to high are the space, the width in bits, the offset, the access size. */
#define SYSTEM_IO        UINT64_C(1)
#define GAS_WIDTH(bytes) ((uint64_t)(bytes)*8 << 8)
#define GAS_ACCESS(code) ((uint64_t)(code) << 24)
#define GAS(bytes, code) (SYSTEM_IO | GAS_WIDTH(bytes) | GAS_ACCESS(code))

enum { ACCESS_BYTE = 1, ACCESS_WORD, ACCESS_DWORD };

static unsigned boot_architecture(unsigned devices)
{
    return VGA_NOT_PRESENT |
           ((devices & (ACPI_COM1 | ACPI_I8042)) != 0 ? LEGACY_DEVICES : 0) |
           ((devices & ACPI_I8042) != 0 ? HAS_8042 : 0) |
           ((devices & ACPI_RTC) != 0 ? 0 : CMOS_RTC_NOT_PRESENT);
}

static size_t put_fadt(struct builder *builder, size_t facs, size_t dsdt)
{
    const struct acpi_machine *machine = builder->machine;
    size_t start = begin_table(builder, "FACP", FADT_MAJOR);
    const struct {
        uint16_t offset, width;
        uint64_t value;
    } fields[] = {
        {46, 2, machine->sci},
        {56, 4, machine->pm_event},
        {64, 4, machine->pm_control},
        {76, 4, machine->pm_timer},
        {88, 1, PM_EVENT_BYTES},
        {89, 1, PM_CONTROL_BYTES},
        {91, 1, PM_TIMER_BYTES},
        {96, 2, NO_C2},
        {98, 2, NO_C3},
        {108, 1, (machine->devices & ACPI_RTC) != 0 ? CMOS_CENTURY : 0},
        {109, 2, boot_architecture(machine->devices)},
        {112, 4,
         WBINVD | PROC_C1 | NO_PWR_BUTTON | NO_SLP_BUTTON | NO_FIX_RTC |
             TMR_VAL_EXT | RESET_REG_SUP},
        {116, 4, GAS(1, ACCESS_BYTE)},
        {120, 8, RESET_PORT},
        {128, 1, RESET_VALUE},
        {131, 1, FADT_MINOR},
        {148, 4, GAS(PM_EVENT_BYTES, ACCESS_WORD)},
        {152, 8, machine->pm_event},
        {172, 4, GAS(PM_CONTROL_BYTES, ACCESS_WORD)},
        {176, 8, machine->pm_control},
        {208, 4, GAS(PM_TIMER_BYTES, ACCESS_DWORD)},
        {212, 8, machine->pm_timer},
        {268, 8, 0}, /* no hypervisor vendor */
    };

    (void)blob_reserve(&builder->blob,
                       FADT_SIZE - (builder->blob.used - start));
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
        blob_patch(&builder->blob, start + fields[i].offset, fields[i].value,
                   fields[i].width);
    set_pointer(builder, start + 36, 4, facs);
    set_pointer(builder, start + 40, 4, dsdt);
    set_pointer(builder, start + 140, 8, dsdt);
    end_table(builder, start);
    return start;
}

/* MADT, section 5.2.12 -----------------------------------------------------*/

#define MADT_REVISION 6 /* of ACPI 6.5 */
#define PCAT_COMPAT   1 /* there are 8259s, too */

/* Interrupt controller structures (table 5.21). */
#define MADT_LAPIC          0, 8
#define MADT_IOAPIC         1, 12
#define MADT_OVERRIDE       2, 10
#define MADT_LAPIC_NMI      4, 6
#define MADT_X2APIC         9, 16
#define MADT_X2APIC_NMI     10, 12
#define LAPIC_ENABLED       1
#define ALL_PROCESSORS      UINT32_MAX /* as many bits as there are */
#define NMI_LINT            1
#define FIRST_X2APIC        255 /* APIC ids, and what UIDs a byte holds */
#define ISA_BUS             0
#define TIMER_IRQ           0
#define TIMER_GSI           2
#define INTI_CONFORMS       0
#define INTI_HIGH_AND_LEVEL 0xd

static void begin_structure(struct blob *blob, unsigned type, unsigned length)
{
    blob_put(blob, type, 1);
    blob_put(blob, length, 1);
}

static bool is_x2apic(const struct acpi_machine *machine, unsigned cpu)
{
    return machine->apic_ids[cpu] >= FIRST_X2APIC;
}

static void put_processor(struct builder *builder, unsigned cpu)
{
    struct blob *blob = &builder->blob;
    uint32_t id = builder->machine->apic_ids[cpu];

    if (is_x2apic(builder->machine, cpu)) {
        begin_structure(blob, MADT_X2APIC);
        blob_put(blob, 0, 2);
        blob_put(blob, id, 4);
        blob_put(blob, LAPIC_ENABLED, 4);
        blob_put(blob, cpu, 4);
    } else {
        begin_structure(blob, MADT_LAPIC);
        blob_put(blob, cpu, 1);
        blob_put(blob, id, 1);
        blob_put(blob, LAPIC_ENABLED, 4);
    }
}

static void put_override(struct blob *blob, unsigned irq, unsigned gsi,
                         unsigned flags)
{
    begin_structure(blob, MADT_OVERRIDE);
    blob_put(blob, ISA_BUS, 1);
    blob_put(blob, irq, 1);
    blob_put(blob, gsi, 4);
    blob_put(blob, flags, 2);
}

/* LINT1 of every local APIC is the NMI. */
static void put_nmis(struct builder *builder)
{
    const struct acpi_machine *machine = builder->machine;
    struct blob *blob = &builder->blob;
    bool has_x2apic = false;

    for (unsigned i = 0; i < machine->cpu_count; i++)
        has_x2apic = has_x2apic || is_x2apic(machine, i);
    begin_structure(blob, MADT_LAPIC_NMI);
    blob_put(blob, ALL_PROCESSORS, 1);
    blob_put(blob, INTI_CONFORMS, 2);
    blob_put(blob, NMI_LINT, 1);
    if (!has_x2apic)
        return;
    begin_structure(blob, MADT_X2APIC_NMI);
    blob_put(blob, INTI_CONFORMS, 2);
    blob_put(blob, ALL_PROCESSORS, 4);
    blob_put(blob, NMI_LINT, 1);
    blob_put(blob, 0, 3);
}

static size_t put_madt(struct builder *builder)
{
    const struct acpi_machine *machine = builder->machine;
    struct blob *blob = &builder->blob;
    size_t start = begin_table(builder, "APIC", MADT_REVISION);

    blob_put(blob, machine->lapic_base, 4);
    blob_put(blob, PCAT_COMPAT, 4);
    for (unsigned i = 0; i < machine->cpu_count; i++)
        put_processor(builder, i);
    begin_structure(blob, MADT_IOAPIC);
    blob_put(blob, machine->ioapic_id, 1);
    blob_put(blob, 0, 1);
    blob_put(blob, machine->ioapic_base, 4);
    blob_put(blob, 0, 4); /* its first GSI */
    put_override(blob, TIMER_IRQ, TIMER_GSI, INTI_CONFORMS);
    put_override(blob, machine->sci, machine->sci, INTI_HIGH_AND_LEVEL);
    put_nmis(builder);
    end_table(builder, start);
    return start;
}

/* XSDT and RSDP, sections 5.2.8 and 5.2.5 ----------------------------------*/

static size_t put_xsdt(struct builder *builder, size_t fadt, size_t madt)
{
    size_t start = begin_table(builder, "XSDT", 1);

    set_pointer(builder, blob_reserve(&builder->blob, 8), 8, fadt);
    set_pointer(builder, blob_reserve(&builder->blob, 8), 8, madt);
    end_table(builder, start);
    return start;
}

#define RSDP_REVISION          2
#define RSDP_CHECKSUM          8
#define RSDP_CHECKED           20 /* by the first checksum */
#define RSDP_EXTENDED_CHECKSUM 32

/* There is no RSDT: who knows a revision of 2 reads the XSDT. */
static void patch_rsdp(struct builder *builder, size_t xsdt)
{
    struct blob *blob = &builder->blob;

    if (blob->is_full)
        return;
    memcpy(blob->bytes, "RSD PTR ", 8);
    memcpy(blob->bytes + 9, OEM_ID, 6);
    blob_patch(blob, 15, RSDP_REVISION, 1);
    blob_patch(blob, 20, RSDP_SIZE, 4);
    set_pointer(builder, 24, 8, xsdt);
    set_checksum(builder, 0, RSDP_CHECKED, RSDP_CHECKSUM);
    set_checksum(builder, 0, RSDP_SIZE, RSDP_EXTENDED_CHECKSUM);
}

static bool is_window(uint64_t base, uint64_t size, uint64_t limit)
{
    return size == 0 || (base <= limit && size - 1 <= limit - base);
}

static bool is_right(const struct acpi_machine *machine)
{
    const struct acpi_pci *pci = &machine->pci;

    return machine->cpu_count >= 1 && machine->cpu_count <= ACPI_MAX_CPUS &&
           machine->sci >= 3 && machine->sci <= 15 && machine->s5_type <= 7 &&
           is_window(pci->memory_base, pci->memory_size, UINT32_MAX) &&
           is_window(pci->high_base, pci->high_size, UINT64_MAX);
}

static void put_tables(struct builder *builder)
{
    size_t facs, dsdt, fadt, madt;

    (void)blob_reserve(&builder->blob, TABLES_AT);
    facs = put_facs(builder);
    dsdt = put_dsdt(builder);
    fadt = put_fadt(builder, facs, dsdt);
    madt = put_madt(builder);
    patch_rsdp(builder, put_xsdt(builder, fadt, madt));
}

err_t acpi_build(const struct acpi_machine *machine, gpa_t base, void *buffer,
                 size_t size, size_t *used)
{
    struct builder builder = {
        machine, base.raw, {buffer, size, 0, false}, NULL};

    if (!is_right(machine) || !is_aligned(base.raw, ACPI_ALIGN))
        return ERR_INVALID_INPUT;
    put_tables(&builder);
    if (builder.blob.is_full)
        return ERR_NO_MEMORY;
    *used = builder.blob.used;
    return base.raw > TABLE_LIMIT || *used > TABLE_LIMIT - base.raw
               ? ERR_OUT_OF_RANGE
               : OK;
}

/* Files ------------------------------------------------------------------- */

/* Files are put at addresses before anything points to them. Of the RSDP, the
 * zone is where it is searched for; an alignment of 16 is its own. */
#define RSDP_ALIGN 16

err_t acpi_build_files(const struct acpi_machine *machine, void *buffer,
                       size_t size, struct acpi_files *files)
{
    uint8_t entries[ACPI_SCRIPT_SIZE];
    struct blob script = {entries, sizeof(entries), 0, false};
    struct builder builder = {
        machine, -(uint64_t)TABLES_AT, {buffer, size, 0, false}, &script};
    size_t script_at;

    if (!is_right(machine))
        return ERR_INVALID_INPUT;
    acpi_script_allocate(&script, ACPI_FILE_RSDP, RSDP_ALIGN, ACPI_ZONE_FSEG);
    acpi_script_allocate(&script, ACPI_FILE_TABLES, ACPI_ALIGN, ACPI_ZONE_HIGH);
    put_tables(&builder);
    script_at = builder.blob.used;
    blob_put_bytes(&builder.blob, entries, script.used);
    CHECK(!script.is_full);
    if (builder.blob.is_full)
        return ERR_NO_MEMORY;
    *files = (struct acpi_files){
        .rsdp = {0, RSDP_SIZE},
        .tables = {TABLES_AT, script_at - TABLES_AT},
        .script = {script_at, script.used},
    };
    return OK;
}
