/* SPDX-License-Identifier: Apache-2.0 */
/* Scenario statements that describe the machine, before it is powered on. */
#include <stdio.h>
#include <string.h>

#include "sim/scenario_internal.h"
#include "sim/sim.h"

/* Whether the machine can still be described. */
static bool is_setup(struct scenario *s, const struct words *words)
{
    if (s->machine == NULL)
        return true;
    scenario_bad(s, "'%s' comes too late: the machine is running",
                 words->at[0]);
    return false;
}

/* A key=value whose value is a number; false: another key. */
static bool number_key(struct scenario *s, const char *word, const char *key,
                       uint64_t *value)
{
    const char *text = value_of(word, key);

    if (text == NULL)
        return false;
    (void)need_number(s, text, value);
    return true;
}

/* What was said of another architecture's processor is said no more. */
static bool arch_key(struct scenario *s, const char *word)
{
    const char *name = value_of(word, "arch");
    const struct sim_arch *arch;

    if (name == NULL)
        return false;
    arch = sim_arch_find(name);
    if (arch == NULL) {
        scenario_bad(s, "no architecture is called '%.40s'", name);
        return true;
    }
    if (arch == s->arch)
        return true;
    if (s->spec.vm_count != 0)
        scenario_bad(s, "machine: arch comes before the first vm");
    s->config.profile = NULL;
    s->arch = arch;
    return true;
}

static bool profile_key(struct scenario *s, const char *word)
{
    const char *name = value_of(word, "profile");

    if (name == NULL)
        return false;
    s->config.profile = sim_profile_find(s->arch, name);
    if (s->config.profile == NULL)
        scenario_bad(s, "no profile is called '%.40s'", name);
    return true;
}

void scenario_machine(struct scenario *s, const struct words *words)
{
    uint64_t cpus = s->config.cpus;

    if (!is_setup(s, words))
        return;
    for (unsigned i = 1; i < words->count && !s->broken; i++) {
        const char *word = words->at[i];

        if (is_word(word, "power-off"))
            s->config.power_off_when_done = true;
        else if (!number_key(s, word, "cpus", &cpus) &&
                 !number_key(s, word, "seed", &s->config.seed) &&
                 !number_key(s, word, "ram", &s->config.ram) &&
                 !arch_key(s, word) && !profile_key(s, word))
            scenario_bad(s, "machine: what is '%.40s'?", word);
    }
    if (cpus > MAX_CPU_NUM || s->config.ram % PAGE_SIZE != 0 ||
        s->config.ram > RAM_MAX_SIZE)
        scenario_bad(s, "machine: at most %d CPUs, and %lluG of whole pages",
                     MAX_CPU_NUM, (unsigned long long)(RAM_MAX_SIZE >> 30));
    s->config.cpus = (uint32_t)cpus;
}

/* config FILE */
void scenario_config(struct scenario *s, const struct words *words)
{
    const char *folder = s->options->folder;
    int length;

    if (!is_setup(s, words))
        return;
    if (words->count != 2 || s->spec.vm_count != 0) {
        scenario_bad(s, "usage: config FILE, without any vm");
        return;
    }
    length = snprintf(s->config_path, sizeof(s->config_path), "%s%s%s",
                      folder != NULL && words->at[1][0] != '/' ? folder : "",
                      folder != NULL && words->at[1][0] != '/' ? "/" : "",
                      words->at[1]);
    if (length >= (int)sizeof(s->config_path))
        scenario_bad(s, "config: the file's name is too long");
}

static struct spec_vm *last_vm(struct scenario *s, const struct words *words)
{
    if (!is_setup(s, words))
        return NULL;
    if (s->spec.vm_count == 0) {
        scenario_bad(s, "'%s' belongs to a vm, and there is none yet",
                     words->at[0]);
        return NULL;
    }
    return &s->spec.vms[s->spec.vm_count - 1];
}

void scenario_vm(struct scenario *s, const struct words *words)
{
    bool usual = false, no_autostart = false, stop_on_reboot = false;
    bool no_statistics = false;
    const char *protocol = NULL;
    uint64_t id, vcpus = 1;
    struct spec_vm *vm;

    if (!is_setup(s, words))
        return;
    if (s->config_path[0] != '\0') {
        scenario_bad(s, "vm: the configuration is in a file already");
        return;
    }
    if (words->count < 2 || s->spec.vm_count == SPEC_MAX_VMS) {
        scenario_bad(s, "usage: vm ID [vcpus=N] ..., at most %d times",
                     SPEC_MAX_VMS);
        return;
    }
    if (!need_number(s, words->at[1], &id))
        return;
    for (unsigned i = 2; i < words->count && !s->broken; i++) {
        const char *word = words->at[i];

        if (is_word(word, "usual"))
            usual = true;
        else if (is_word(word, "no-autostart"))
            no_autostart = true;
        else if (is_word(word, "stop-on-reboot"))
            stop_on_reboot = true;
        else if (is_word(word, "no-statistics"))
            no_statistics = true;
        else if (value_of(word, "boot") != NULL)
            protocol = value_of(word, "boot");
        else if (!number_key(s, word, "vcpus", &vcpus))
            scenario_bad(s, "vm: what is '%.40s'?", word);
    }
    if (id >= VMM_MAX_VMS || vcpus == 0 || vcpus > MAX_VCPU_NUM)
        scenario_bad(s, "vm: ids are below %d, vCPUs 1 to %d", VMM_MAX_VMS,
                     MAX_VCPU_NUM);
    if (s->broken)
        return;
    vm = &s->spec.vms[s->spec.vm_count++];
    (usual ? s->arch->usual_vm : spec_init_vm)(vm, (uint32_t)id,
                                               (uint32_t)vcpus);
    vm->no_autostart = no_autostart;
    vm->stop_on_reboot = stop_on_reboot;
    vm->no_statistics = no_statistics;
    if (protocol != NULL)
        snprintf(vm->protocol, SPEC_TEXT, "%s", protocol);
}

void scenario_memory(struct scenario *s, const struct words *words)
{
    struct spec_vm *vm = last_vm(s, words);
    struct spec_memory memory = {0};

    if (vm == NULL)
        return;
    if (words->count < 3 || vm->memory_count == SPEC_MAX_MEMORY) {
        scenario_bad(s,
                     "usage: memory BASE SIZE [read-only] [no-execute] "
                     "[populate], at most %d times",
                     SPEC_MAX_MEMORY);
        return;
    }
    if (!need_number(s, words->at[1], &memory.base) ||
        !need_number(s, words->at[2], &memory.size))
        return;
    for (unsigned i = 3; i < words->count; i++) {
        if (is_word(words->at[i], "read-only"))
            memory.read_only = true;
        else if (is_word(words->at[i], "no-execute"))
            memory.no_execute = true;
        else if (is_word(words->at[i], "populate"))
            memory.populate = true;
        else
            scenario_bad(s, "memory: what is '%.40s'?", words->at[i]);
    }
    vm->memory[vm->memory_count++] = memory;
}

/* A property of the device's model: NAME, NAME=NUMBER, NAME=TEXT. Numbers are
 * of 64 bits where their name is `size`. */
static bool add_property(struct spec_device *device, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t length = equals != NULL ? (size_t)(equals - word) : strlen(word);
    struct spec_property *property;

    if (device->property_count == SPEC_MAX_PROPERTIES || length == 0 ||
        length >= SPEC_TEXT)
        return false;
    property = &device->properties[device->property_count++];
    *property = (struct spec_property){.type = SPEC_FLAG};
    memcpy(property->name, word, length);
    if (equals == NULL)
        return true;
    if (!parse_number(equals + 1, &property->value)) {
        property->type = SPEC_STRING;
        snprintf(property->text, SPEC_TEXT, "%s", equals + 1);
        return strlen(equals + 1) < SPEC_TEXT;
    }
    property->type = is_word(property->name, "size") ? SPEC_U64 : SPEC_U32;
    return true;
}

/* A device's name is short, or a model's own. */
static bool add_device(struct spec_vm *vm, const char *name, uint64_t base)
{
    struct spec_device *device;

    if (spec_add_device(vm, name, base, 0))
        return true;
    if (vm->device_count == SPEC_MAX_DEVICES || strlen(name) >= SPEC_TEXT)
        return false;
    device = &vm->devices[vm->device_count++];
    *device = (struct spec_device){.base = base, .size = PAGE_SIZE};
    snprintf(device->compatible, SPEC_TEXT, "%s", name);
    return true;
}

/* Whether the model is where it always is. */
static bool is_placed(const char *name)
{
    uint64_t size;

    return spec_device_model(name, &size) != NULL && size == 0;
}

/* device NAME [BASE] ...: some models know their place. */
void scenario_device(struct scenario *s, const struct words *words)
{
    struct spec_vm *vm = last_vm(s, words);
    struct spec_device *device;
    uint64_t base = 0;
    unsigned next = 2;

    if (vm == NULL)
        return;
    if (words->count < 2 || (!is_placed(words->at[1]) && words->count < 3)) {
        scenario_bad(s, "usage: device NAME BASE [irq=N] [range=SIZE] "
                        "[PROPERTY[=VALUE]]...");
        return;
    }
    if (!is_placed(words->at[1]) && !need_number(s, words->at[next++], &base))
        return;
    if (!add_device(vm, words->at[1], base)) {
        scenario_bad(s, "device: no room for more than %d, or a bad name",
                     SPEC_MAX_DEVICES);
        return;
    }
    device = &vm->devices[vm->device_count - 1];
    for (unsigned i = next; i < words->count && !s->broken; i++) {
        uint64_t irq;

        if (number_key(s, words->at[i], "irq", &irq))
            device->irq = (uint32_t)irq;
        else if (!number_key(s, words->at[i], "range", &device->size) &&
                 !add_property(device, words->at[i]))
            scenario_bad(s, "device: '%.40s' is too much", words->at[i]);
    }
}

void scenario_affinity(struct scenario *s, const struct words *words)
{
    struct spec_vm *vm = last_vm(s, words);
    uint64_t vcpu, mask;

    if (vm == NULL)
        return;
    if (words->count != 3) {
        scenario_bad(s, "usage: affinity VCPU MASK");
        return;
    }
    if (!need_number(s, words->at[1], &vcpu) ||
        !need_number(s, words->at[2], &mask))
        return;
    if (vcpu >= vm->vcpus)
        scenario_bad(s, "affinity: the vm has no vCPU %llu",
                     (unsigned long long)vcpu);
    else
        vm->affinity[vcpu] = mask;
}
