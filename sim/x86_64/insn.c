/* SPDX-License-Identifier: Apache-2.0 */
/* x86_64 instructions as text: see insn.h. */
#include "sim/x86_64/insn.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/emulate/decode.h"
#include "arch/x86_64/svm/vmcb.h"
#include "lib/compiler.h"

/* Exit codes, lower case as in APM volume 2, appendix C; numbered ones have
 * their number behind. */
static const struct {
    uint64_t first, last;
    const char *name;
    const char *insn; /* NULL: none, or more than a name */
} exits[] = {
    {VMEXIT_CR0_READ, VMEXIT_CR0_READ + 15, "cr-read", NULL},
    {VMEXIT_CR0_WRITE, VMEXIT_CR0_WRITE + 15, "cr-write", NULL},
    {VMEXIT_DR0_READ, VMEXIT_DR0_READ + 15, "dr-read", NULL},
    {VMEXIT_DR0_WRITE, VMEXIT_DR0_WRITE + 15, "dr-write", NULL},
    {VMEXIT_EXCP0, VMEXIT_EXCP0 + 31, "excp", NULL},
    {VMEXIT_INTR, VMEXIT_INTR, "intr", NULL},
    {VMEXIT_NMI, VMEXIT_NMI, "nmi", NULL},
    {VMEXIT_SMI, VMEXIT_SMI, "smi", NULL},
    {VMEXIT_INIT, VMEXIT_INIT, "init", NULL},
    {VMEXIT_VINTR, VMEXIT_VINTR, "vintr", NULL},
    {VMEXIT_CR0_SEL_WRITE, VMEXIT_CR0_SEL_WRITE, "cr0-sel-write", NULL},
    {VMEXIT_IDTR_READ, VMEXIT_IDTR_READ, "idtr-read", "sidt"},
    {VMEXIT_GDTR_READ, VMEXIT_GDTR_READ, "gdtr-read", "sgdt"},
    {VMEXIT_LDTR_READ, VMEXIT_LDTR_READ, "ldtr-read", "sldt"},
    {VMEXIT_TR_READ, VMEXIT_TR_READ, "tr-read", "str"},
    {VMEXIT_IDTR_WRITE, VMEXIT_IDTR_WRITE, "idtr-write", "lidt"},
    {VMEXIT_GDTR_WRITE, VMEXIT_GDTR_WRITE, "gdtr-write", "lgdt"},
    {VMEXIT_LDTR_WRITE, VMEXIT_LDTR_WRITE, "ldtr-write", "lldt"},
    {VMEXIT_TR_WRITE, VMEXIT_TR_WRITE, "tr-write", "ltr"},
    {VMEXIT_RDTSC, VMEXIT_RDTSC, "rdtsc", "rdtsc"},
    {VMEXIT_RDPMC, VMEXIT_RDPMC, "rdpmc", "rdpmc"},
    {VMEXIT_PUSHF, VMEXIT_PUSHF, "pushf", "pushf"},
    {VMEXIT_POPF, VMEXIT_POPF, "popf", "popf"},
    {VMEXIT_CPUID, VMEXIT_CPUID, "cpuid", "cpuid"},
    {VMEXIT_RSM, VMEXIT_RSM, "rsm", "rsm"},
    {VMEXIT_IRET, VMEXIT_IRET, "iret", "iret"},
    {VMEXIT_SWINT, VMEXIT_SWINT, "swint", "int"},
    {VMEXIT_INVD, VMEXIT_INVD, "invd", "invd"},
    {VMEXIT_PAUSE, VMEXIT_PAUSE, "pause", "pause"},
    {VMEXIT_HLT, VMEXIT_HLT, "hlt", "hlt"},
    {VMEXIT_INVLPG, VMEXIT_INVLPG, "invlpg", "invlpg"},
    {VMEXIT_INVLPGA, VMEXIT_INVLPGA, "invlpga", "invlpga"},
    {VMEXIT_IOIO, VMEXIT_IOIO, "ioio", NULL},
    {VMEXIT_MSR, VMEXIT_MSR, "msr", NULL},
    {VMEXIT_TASK_SWITCH, VMEXIT_TASK_SWITCH, "task-switch", NULL},
    {VMEXIT_FERR_FREEZE, VMEXIT_FERR_FREEZE, "ferr-freeze", NULL},
    {VMEXIT_SHUTDOWN, VMEXIT_SHUTDOWN, "shutdown", NULL},
    {VMEXIT_VMRUN, VMEXIT_VMRUN, "vmrun", "vmrun"},
    {VMEXIT_VMMCALL, VMEXIT_VMMCALL, "vmmcall", "vmmcall"},
    {VMEXIT_VMLOAD, VMEXIT_VMLOAD, "vmload", "vmload"},
    {VMEXIT_VMSAVE, VMEXIT_VMSAVE, "vmsave", "vmsave"},
    {VMEXIT_STGI, VMEXIT_STGI, "stgi", "stgi"},
    {VMEXIT_CLGI, VMEXIT_CLGI, "clgi", "clgi"},
    {VMEXIT_SKINIT, VMEXIT_SKINIT, "skinit", "skinit"},
    {VMEXIT_RDTSCP, VMEXIT_RDTSCP, "rdtscp", "rdtscp"},
    {VMEXIT_ICEBP, VMEXIT_ICEBP, "icebp", "icebp"},
    {VMEXIT_WBINVD, VMEXIT_WBINVD, "wbinvd", "wbinvd"},
    {VMEXIT_MONITOR, VMEXIT_MONITOR, "monitor", "monitor"},
    {VMEXIT_MWAIT, VMEXIT_MWAIT, "mwait", "mwait"},
    {VMEXIT_MWAIT_CONDITIONAL, VMEXIT_MWAIT_CONDITIONAL, "mwait-conditional",
     "mwait"},
    {VMEXIT_XSETBV, VMEXIT_XSETBV, "xsetbv", "xsetbv"},
    {VMEXIT_RDPRU, VMEXIT_RDPRU, "rdpru", "rdpru"},
    {VMEXIT_EFER_WRITE_TRAP, VMEXIT_EFER_WRITE_TRAP, "efer-write-trap", NULL},
    {VMEXIT_CR0_WRITE_TRAP, VMEXIT_CR0_WRITE_TRAP + 15, "cr-write-trap", NULL},
    {VMEXIT_INVLPGB, VMEXIT_INVLPGB, "invlpgb", "invlpgb"},
    {VMEXIT_INVLPGB_ILLEGAL, VMEXIT_INVLPGB_ILLEGAL, "invlpgb-illegal",
     "invlpgb"},
    {VMEXIT_INVPCID, VMEXIT_INVPCID, "invpcid", "invpcid"},
    {VMEXIT_MCOMMIT, VMEXIT_MCOMMIT, "mcommit", "mcommit"},
    {VMEXIT_TLBSYNC, VMEXIT_TLBSYNC, "tlbsync", "tlbsync"},
    {VMEXIT_BUSLOCK, VMEXIT_BUSLOCK, "buslock", NULL},
    {VMEXIT_IDLE_HLT, VMEXIT_IDLE_HLT, "idle-hlt", "hlt"},
    {VMEXIT_NPF, VMEXIT_NPF, "npf", NULL},
    {VMEXIT_AVIC_INCOMPLETE_IPI, VMEXIT_AVIC_INCOMPLETE_IPI,
     "avic-incomplete-ipi", NULL},
    {VMEXIT_AVIC_NOACCEL, VMEXIT_AVIC_NOACCEL, "avic-noaccel", NULL},
    {VMEXIT_VMGEXIT, VMEXIT_VMGEXIT, "vmgexit", NULL},
    {VMEXIT_INVALID, VMEXIT_INVALID, "invalid", NULL},
};

const char *x86_64_exit_name(uint64_t code)
{
    static char numbered[32];

    for (unsigned i = 0; i < ARRAY_SIZE(exits); i++) {
        if (code < exits[i].first || code > exits[i].last)
            continue;
        if (exits[i].first == exits[i].last)
            return exits[i].name;
        snprintf(numbered, sizeof(numbered), "%s%u", exits[i].name,
                 (unsigned)(code - exits[i].first));
        return numbered;
    }
    return NULL;
}

/* "cr-write4": the name, and the number behind it. */
static bool is_numbered(const char *name, unsigned row, uint64_t *code)
{
    size_t length = strlen(exits[row].name);
    unsigned number = 0;
    char end;

    if (strncmp(name, exits[row].name, length) != 0 ||
        sscanf(name + length, "%2u%c", &number, &end) != 1)
        return false;
    *code = exits[row].first + number;
    return *code <= exits[row].last;
}

bool x86_64_exit_code(const char *name, uint64_t *code)
{
    for (unsigned i = 0; i < ARRAY_SIZE(exits); i++) {
        if (exits[i].first != exits[i].last) {
            if (is_numbered(name, i, code))
                return true;
        } else if (strcmp(name, exits[i].name) == 0) {
            *code = exits[i].first;
            return true;
        }
    }
    return false;
}

/* Text that is put together piece by piece. */
struct text {
    char *at;
    size_t size, used;
};

static void PRINTF_LIKE(2, 3) add(struct text *text, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length =
        vsnprintf(text->at + text->used, text->size - text->used, format, args);
    va_end(args);
    text->used += (size_t)length;
    if (text->used >= text->size)
        text->used = text->size - 1;
}

static void add_gpr(struct text *text, unsigned reg, unsigned size)
{
    static const char *const names[] = {"ax", "cx", "dx", "bx",
                                        "sp", "bp", "si", "di"};
    static const char *const low[] = {"al",  "cl",  "dl",  "bl",
                                      "spl", "bpl", "sil", "dil"};

    if (reg >= ARRAY_SIZE(names))
        add(text, "r%u%s", reg,
            size == 8   ? ""
            : size == 4 ? "d"
            : size == 2 ? "w"
                        : "b");
    else if (size == 1)
        add(text, "%s", low[reg]);
    else
        add(text, "%s%s", size == 8 ? "r" : size == 4 ? "e" : "", names[reg]);
}

static const char *const segment_names[X86_SEGMENTS] = {"es", "cs", "ss",
                                                        "ds", "fs", "gs"};

static void add_displacement(struct text *text, int64_t displacement,
                             bool is_first)
{
    if (is_first)
        add(text, "0x%" PRIx64, (uint64_t)displacement);
    else if (displacement < 0)
        add(text, " - 0x%" PRIx64, -(uint64_t)displacement);
    else if (displacement != 0)
        add(text, " + 0x%" PRIx64, (uint64_t)displacement);
}

static void add_memory(struct text *text, const struct x86_insn *insn)
{
    bool is_first = true;

    if (insn->segment == X86_FS || insn->segment == X86_GS)
        add(text, "%s:", segment_names[insn->segment]);
    add(text, "[");
    if (insn->base == X86_RIP)
        add(text, "rip");
    else if (insn->base != X86_NO_REG)
        add_gpr(text, insn->base, insn->address_size);
    is_first = insn->base == X86_NO_REG;
    if (insn->index != X86_NO_REG) {
        add(text, is_first ? "" : " + ");
        add_gpr(text, insn->index, insn->address_size);
        if (insn->scale != 1)
            add(text, "*%u", insn->scale);
        is_first = false;
    }
    add_displacement(text, insn->displacement, is_first);
    add(text, "]");
}

static void add_operand(struct text *text, const struct x86_insn *insn,
                        const struct x86_operand *operand)
{
    static const char *const high[] = {"ah", "ch", "dh", "bh"};

    switch ((enum x86_operand_kind)operand->kind) {
    case X86_OPERAND_GPR: add_gpr(text, operand->reg, operand->size); break;
    case X86_OPERAND_HIGH: add(text, "%s", high[operand->reg & 3]); break;
    case X86_OPERAND_MEMORY: add_memory(text, insn); break;
    case X86_OPERAND_IMMEDIATE:
        add(text, "0x%" PRIx64,
            zero_extend(insn->immediate, operand->size * 8u));
        break;
    case X86_OPERAND_SEGMENT:
        add(text, "%s", segment_names[operand->reg % X86_SEGMENTS]);
        break;
    case X86_OPERAND_CONTROL: add(text, "cr%u", operand->reg); break;
    case X86_OPERAND_DEBUG: add(text, "dr%u", operand->reg); break;
    case X86_OPERAND_XMM: add(text, "xmm%u", operand->reg); break;
    case X86_OPERAND_MMX: add(text, "mm%u", operand->reg); break;
    case X86_OPERAND_SI:
        add(text, "%s:[", segment_names[insn->segment % X86_SEGMENTS]);
        add_gpr(text, X86_GPR_RSI, insn->address_size);
        add(text, "]");
        break;
    case X86_OPERAND_DI:
        add(text, "es:[");
        add_gpr(text, X86_GPR_RDI, insn->address_size);
        add(text, "]");
        break;
    case X86_OPERAND_NONE: break;
    }
}

/* What the operands do not tell. */
static void add_size(struct text *text, const struct x86_insn *insn)
{
    static const char *const names[] = {
        [1] = "byte ", [2] = "word ", [4] = "dword ", [8] = "qword "};
    const struct x86_operand *a = &insn->operand[0], *b = &insn->operand[1];

    if (a->kind == X86_OPERAND_MEMORY && a->size < ARRAY_SIZE(names) &&
        names[a->size] != NULL && b->kind != X86_OPERAND_GPR &&
        b->kind != X86_OPERAND_HIGH)
        add(text, "%s", names[a->size]);
}

void x86_64_format_insn(const struct x86_insn *insn, char *buffer, size_t size)
{
    static const char *const repeats[] = {[X86_REPEAT_NONE] = "",
                                          [X86_REPEAT_REPNE] = "repne ",
                                          [X86_REPEAT_REP] = "rep "};
    bool is_string = insn->operand[0].kind == X86_OPERAND_SI ||
                     insn->operand[0].kind == X86_OPERAND_DI ||
                     insn->operand[1].kind == X86_OPERAND_SI ||
                     insn->operand[1].kind == X86_OPERAND_DI;
    struct text text = {buffer, size, 0};

    add(&text, "%s%s%s", insn->lock ? "lock " : "",
        is_string ? repeats[insn->repeat] : "",
        x86_op_name((enum x86_op)insn->op));
    for (unsigned i = 0; i < 2 && insn->operand[i].kind != X86_OPERAND_NONE;
         i++) {
        add(&text, i == 0 ? " " : ", ");
        if (i == 0)
            add_size(&text, insn);
        add_operand(&text, insn, &insn->operand[i]);
    }
}

static enum x86_mode mode_of(const struct vmcb_save *save)
{
    if ((save->efer & X86_EFER_LMA) != 0 &&
        (save->cs.attrib & VMCB_ATTRIB_L) != 0)
        return X86_MODE_64;
    return (save->cs.attrib & VMCB_ATTRIB_D) != 0 ? X86_MODE_32 : X86_MODE_16;
}

static bool format_bytes(const struct vmcb *vmcb, char *text, size_t size)
{
    const struct vmcb_control *control = &vmcb->control;
    struct x86_insn insn;

    if (control->bytes_fetched == 0 ||
        x86_decode_insn(control->instruction_bytes, control->bytes_fetched,
                        mode_of(&vmcb->save), &insn) != X86_DECODED)
        return false;
    x86_64_format_insn(&insn, text, size);
    return true;
}

void x86_64_format_port(const struct x86_64_port *io, char *text, size_t size)
{
    const char *reg = io->width == 1 ? "al" : io->width == 2 ? "ax" : "eax";
    char suffix = io->width == 1 ? 'b' : io->width == 2 ? 'w' : 'd';

    if (io->is_string)
        snprintf(text, size, "%s%ss%c 0x%x", io->repeats ? "rep " : "",
                 io->is_in ? "in" : "out", suffix, io->port);
    else if (io->is_in)
        snprintf(text, size, "in %s, 0x%x", reg, io->port);
    else
        snprintf(text, size, "out 0x%x, %s", io->port, reg);
}

static void format_port(uint64_t info, char *text, size_t size)
{
    const struct x86_64_port io = {
        .port = (uint16_t)FIELD_GET(IOIO_PORT, info),
        .width = (uint8_t)FIELD_GET(IOIO_SZ8 | IOIO_SZ16 | IOIO_SZ32, info),
        .is_in = (info & IOIO_TYPE_IN) != 0,
        .is_string = (info & IOIO_STR) != 0,
        .repeats = (info & IOIO_REP) != 0,
    };

    x86_64_format_port(&io, text, size);
}

static bool format_code(uint64_t code, char *text, size_t size)
{
    for (unsigned i = 0; i < ARRAY_SIZE(exits); i++) {
        if (exits[i].first == code && exits[i].insn != NULL) {
            snprintf(text, size, "%s", exits[i].insn);
            return true;
        }
    }
    return false;
}

bool x86_64_insn(const struct vmcb *vmcb, char *text, size_t size)
{
    uint64_t code = vmcb->control.exitcode;
    uint64_t info = vmcb->control.exitinfo1;

    switch (code) {
    case VMEXIT_NPF: return format_bytes(vmcb, text, size);
    case VMEXIT_IOIO: format_port(info, text, size); return true;
    case VMEXIT_MSR:
        snprintf(text, size, info == MSR_EXIT_WRITE ? "wrmsr" : "rdmsr");
        return true;
    default: break;
    }
    if (code < VMEXIT_EXCP0) {
        unsigned number = (unsigned)code & 15;
        const char *kind = code < VMEXIT_DR0_READ ? "cr" : "dr";

        snprintf(text, size,
                 (code & 16) != 0 ? "mov %s%u, ..." : "mov ..., %s%u", kind,
                 number);
        return true;
    }
    return format_code(code, text, size);
}
