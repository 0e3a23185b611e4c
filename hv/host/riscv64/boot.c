/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the first C function of the boot hart to host_main(), and of the other
 * harts to host_cpu_main(). Any hart may be the boot hart; CPU numbers follow
 * the order of starting, whatever the harts' ids.
 */
#include "api/memory.h"
#include "arch/riscv64/hw.h"
#include "host/riscv64/csr_access.h"
#include "host/riscv64/page_table.h"
#include "host/riscv64/riscv_host.h"
#include "host/riscv64/sbi.h"
#include "lib/bits.h"
#include "lib/check.h"
#include "lib/string.h"

/* Filled in once, by the boot CPU. */
static struct riscv_board riscv;

_Noreturn void riscv_boot(uint64_t hartid, const void *fdt);
_Noreturn void riscv_boot_other(void);

/* Not cleared at boot: what is used of it is initialised. */
struct boot_block boot_block
    __attribute__((section(".bss.noinit"), aligned(4096)));
struct host_cpu *const boot_cpu = &boot_block.cpu;

struct host_cpu *_Atomic riscv_starting;
uint64_t riscv_satp;

/* Extensions that count, by their names in riscv,isa. */
static const struct {
    const char *name;
    uint32_t feature;
} extensions[] = {
    {"h", CPU_FEATURE_H},
    {"sstc", RISCV_FEATURE_SSTC},
    {"v", RISCV_FEATURE_V},
    {"d", RISCV_FEATURE_FD}, /* which implies F */
    {"svpbmt", RISCV_FEATURE_SVPBMT},
    {"zicbom", RISCV_FEATURE_ZICBOM},
    {"zicboz", RISCV_FEATURE_ZICBOZ},
};

/*
 * Whether riscv,isa has extension `name`: "rv64", single letters without
 * separators, then longer names, each after a '_'.
 */
static bool isa_has(const char *isa, const char *name)
{
    size_t length = strlen(name);
    const char *rest = isa + strnlen(isa, 4);

    if (length == 1) {
        for (; *rest != '\0' && *rest != '_'; rest++) {
            if (*rest == name[0])
                return true;
        }
        return false;
    }
    while ((rest = strchr(rest, '_')) != NULL) {
        rest++;
        if (strncmp(rest, name, length) == 0 &&
            (rest[length] == '\0' || rest[length] == '_'))
            return true;
    }
    return false;
}

static uint32_t read_features(const struct tree_node *node)
{
    uint32_t size, features = 0;
    const char *isa = tree_property(node, PROPERTY_RISCV_ISA, &size);
    bool is_text = size != 0 && isa[size - 1] == '\0';

    for (unsigned i = 0; i < ARRAY_SIZE(extensions); i++) {
        const char *name = extensions[i].name;
        if (tree_has_string(node, PROPERTY_RISCV_ISA_EXTENSIONS, name) ||
            (is_text && isa_has(isa, name)))
            features |= extensions[i].feature;
    }
    return features;
}

static void add_cpu(struct riscv_board *of, const struct tree_node *node)
{
    struct range reg;

    if (!tree_reg(node, 0, &reg))
        return;
    if (of->cpu_count == MAX_CPU_NUM) {
        of->tree.board.cpus_ignored++;
        return;
    }
    of->cpus[of->cpu_count++] = (struct riscv_hart){
        .hw_id = reg.start,
        .features = read_features(node),
        .usable = tree_is_enabled(node),
    };
}

static struct riscv_hart *find_cpu(struct riscv_board *of, uint64_t hartid)
{
    for (uint32_t i = 0; i < of->cpu_count; i++) {
        if (of->cpus[i].hw_id == hartid)
            return &of->cpus[i];
    }
    return NULL;
}

static void add_intc(struct riscv_board *of, const struct tree_node *node)
{
    struct riscv_hart *cpu;
    struct range reg;

    if (!tree_reg(node->parent, 0, &reg))
        return;
    cpu = find_cpu(of, reg.start);
    if (cpu != NULL)
        cpu->intc = tree_cell(node, PROPERTY_PHANDLE, 0);
}

static void add_plic(struct riscv_board *of, const struct tree_node *node)
{
    struct riscv_plic *chip = &of->plic;

    if (chip->reg.size != 0 || !tree_is_enabled(node) ||
        !tree_reg(node, 0, &chip->reg))
        return;
    chip->contexts =
        tree_property(node, PROPERTY_INTERRUPTS_EXTENDED, &chip->contexts_size);
    chip->sources = tree_cell(node, PROPERTY_RISCV_NDEV, 0);
}

static bool is_cpus(const struct tree_node *node)
{
    return node->parent != NULL && node->parent->parent == NULL &&
           tree_is_named(node, "cpus");
}

static void visit_node(struct devicetree *tree, const struct tree_node *node)
{
    struct riscv_board *of = container_of(tree, struct riscv_board, tree);
    const struct tree_node *parent = node->parent;

    if (is_cpus(node))
        of->timebase = tree_cell(node, PROPERTY_TIMEBASE_FREQUENCY, 0);
    else if (is_cpus(parent) &&
             tree_has_string(node, PROPERTY_DEVICE_TYPE, "cpu"))
        add_cpu(of, node);
    else if (parent->parent != NULL && is_cpus(parent->parent) &&
             tree_has_string(node, PROPERTY_COMPATIBLE, "riscv,cpu-intc"))
        add_intc(of, node);
    else if (tree_has_string(node, PROPERTY_COMPATIBLE, "sifive,plic-1.0.0") ||
             tree_has_string(node, PROPERTY_COMPATIBLE, "riscv,plic0"))
        add_plic(of, node);
    else if (tree_has_string(node, PROPERTY_COMPATIBLE, "sifive,test0"))
        (void)tree_reg(node, 0, &of->finisher);
}

/* What all CPUs that will be used have; CPUs without H will not. */
static uint64_t common_features(void)
{
    uint32_t features = ~UINT32_C(0);

    for (uint32_t i = 0; i < riscv.cpu_count; i++) {
        struct riscv_hart *cpu = &riscv.cpus[i];
        cpu->usable = cpu->usable && (cpu->features & CPU_FEATURE_H) != 0;
        if (cpu->usable)
            features &= cpu->features;
    }
    return features & ~(uint64_t)CPU_FEATURE_H;
}

static void check_cpu(const struct riscv_hart *cpu, uint64_t hartid)
{
    if (cpu == NULL)
        host_refuse("the device tree does not describe hart %llu, which boots",
                    (unsigned long long)hartid);
    if ((cpu->features & CPU_FEATURE_H) == 0)
        host_refuse("hart %llu has no hypervisor extension (H); under QEMU, "
                    "use -cpu rv64,h=true",
                    (unsigned long long)hartid);
    if (riscv.timebase == 0)
        host_refuse("the device tree has no /cpus/timebase-frequency");
    if (hw_probe_cycle() < 0)
        host_refuse("the firmware does not let the hypervisor read the cycle "
                    "counter: it must set mcounteren.CY");
}

static void map_machine(const struct riscv_board *of)
{
    const struct board_console *console = of->tree.board.console;

    paging_init(&of->tree.board);
    paging_remove((uint64_t)(uintptr_t)&boot_block,
                  HOST_GUARD_PAGES * PAGE_SIZE);
    paging_map((uint64_t)(uintptr_t)of->tree.fdt, of->tree.fdt_size,
               PTE_RODATA);
    if (console != NULL)
        paging_map(console->address, console->size, PTE_DEVICE);
    paging_map(of->plic.reg.start, of->plic.reg.size, PTE_DEVICE);
    paging_map(of->finisher.start, of->finisher.size, PTE_DEVICE);

    riscv_satp = SATP_SV39 | (uint64_t)(uintptr_t)paging_root / PAGE_SIZE;
    __asm__ volatile("sfence.vma" : : : "memory");
    csr_write(satp, riscv_satp);
    __asm__ volatile("sfence.vma" : : : "memory");
}

void riscv_boot(uint64_t hartid, const void *fdt)
{
    struct board *board = &riscv.tree.board;
    const struct riscv_hart *cpu;
    uint64_t features;

    host_add_cpu(host_cpu_init(&boot_block, hartid));
    machine_init_cpu();
    board_reserve(board, (uint64_t)(uintptr_t)image_start,
                  (uint64_t)(image_end - image_start));
    riscv.tree.visit = visit_node;
    devicetree_read(&riscv.tree, fdt);
    console_init(board);
    machine_init(&riscv);
    features = common_features();
    cpu = find_cpu(&riscv, hartid);
    check_cpu(cpu, hartid);
    riscv_hw_probe(features);
    machine_set_alarm(UINT64_MAX);
    frames_init(board, 0, UINT64_MAX);
    if (host_is_recorded(board))
        shim_enable_recording();
    map_machine(&riscv);
    plic_init(&riscv, cpu);
    host_main(board);
}

void riscv_boot_other(void)
{
    machine_init_cpu();
    machine_set_alarm(UINT64_MAX);
    host_cpu_main();
}

/*
 * A hart that is "already available" waits in entry.S. One that comes too late
 * finds that it does not count, and parks.
 */
static void start_cpu(const struct riscv_hart *cpu, uint8_t *memory)
{
    struct host_cpu *started = host_cpu_init(memory, cpu->hw_id);
    struct sbi_result result;

    paging_remove((uint64_t)(uintptr_t)memory, HOST_GUARD_PAGES * PAGE_SIZE);
    atomic_store(&riscv_starting, started);
    result = sbi_call(SBI_HSM, SBI_HSM_HART_START, cpu->hw_id,
                      (uint64_t)(uintptr_t)riscv_start_other,
                      (uint64_t)(uintptr_t)started);
    if ((result.error == SBI_SUCCESS ||
         result.error == SBI_ERR_ALREADY_AVAILABLE) &&
        host_wait_until_online(started))
        host_add_cpu(started);
    else
        host_print("twinax: hart %llu does not start (SBI error %lld): going "
                   "on without it\n",
                   (unsigned long long)cpu->hw_id, (long long)result.error);
    atomic_store(&riscv_starting, NULL);
}

void machine_start_cpus(void)
{
    for (uint32_t i = 0; i < riscv.cpu_count; i++) {
        const struct riscv_hart *cpu = &riscv.cpus[i];
        hpa_t memory;

        if (!cpu->usable || cpu->hw_id == boot_cpu->hw_id)
            continue;
        memory = memory_alloc_contiguous_impl(HOST_CPU_BLOCK / PAGE_SIZE, 0);
        if (hpa_is_none(memory))
            host_refuse("there is no memory for hart %llu",
                        (unsigned long long)cpu->hw_id);
        start_cpu(cpu, memory_phys_to_virt(memory));
    }
}
