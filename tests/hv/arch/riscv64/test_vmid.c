/* SPDX-License-Identifier: Apache-2.0 */
/* VMIDs: no two guests share one in a CPU's TLB, however few there are. */
#include "rig.h"

#define TURNS 2000

/* Who used a VMID last on a CPU, since it was flushed. */
static struct {
    uint64_t generation;
    int user[1 << 14];
} seen[RIG_CPUS];

static void forget(uint32_t cpu, uint64_t generation)
{
    seen[cpu].generation = generation;
    memset(seen[cpu].user, -1, sizeof(seen[cpu].user));
}

static uint32_t random_number(void)
{
    static uint64_t state = 1;

    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)(state >> 33);
}

Test(vmid, no_two_vcpus_have_the_same)
{
    static const uint8_t widths[] = {0, 1, 2, 3, 7, 14};

    for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
        rig_start("virt");
        for (unsigned id = 0; id < RIG_VCPUS; id++)
            rig_vcpu(id)->vmid_bits = widths[i];
        for (uint32_t cpu = 0; cpu < RIG_CPUS; cpu++)
            forget(cpu, 0);
        for (unsigned turn = 0; turn < TURNS; turn++) {
            unsigned id = random_number() % RIG_VCPUS;
            uint32_t cpu = random_number() % RIG_CPUS;
            struct riscv_vcpu *v = rig_vcpu(id);

            cpus_set_current(cpu);
            (void)riscv_assign_vmid(v, cpu);
            if (riscv_cpus[cpu].vmids.generation != seen[cpu].generation)
                forget(cpu, riscv_cpus[cpu].vmids.generation);
            cr_assert_eq(v->vmid.number >> widths[i], 0, "%u bits", widths[i]);
            int *user = &seen[cpu].user[v->vmid.number];
            cr_assert(*user == -1 || *user == (int)id,
                      "VMID %llu of CPU %u has two users",
                      (unsigned long long)v->vmid.number, cpu);
            *user = (int)id;
        }
        rig_stop();
    }
}

Test(vmid, it_stays_while_the_vcpu_does)
{
    rig_start("virt");
    struct riscv_vcpu *v = rig_vcpu(0);
    cr_expect(riscv_assign_vmid(v, 0));
    uint64_t vmid = v->vmid.number;
    cr_expect_neq(vmid, 0);
    for (int i = 0; i < 10; i++) {
        cr_expect_not(riscv_assign_vmid(v, 0));
        cr_expect_eq(v->vmid.number, vmid);
    }
    /* On another CPU it is a new one, and back again, too: what was left
     * behind may have become stale. */
    cpus_set_current(1);
    cr_expect(riscv_assign_vmid(v, 1));
    cpus_set_current(0);
    cr_expect(riscv_assign_vmid(v, 0));
    cr_expect_neq(v->vmid.number, vmid);
    rig_stop();
}

static struct guest_result load_byte(struct riscv_vcpu *v, uint64_t address)
{
    const struct guest_op load = {
        .kind = OP_LOAD, .width = 1, .reg = OP_DEFAULT_REG, .address = address};
    return rig_do(v, load);
}

#define PAGE(n) (RIG_MEMORY + (4 + (n)) * PAGE_SIZE)

/* Two frames that a page may have; it has them in turn. */
static hpa_t frames[2];

static void take_frames(void)
{
    frames[0] = memory_alloc_frame_impl();
    frames[1] = memory_alloc_frame_impl();
}

static void give_frames_back(void)
{
    for (unsigned id = 0; id < 2; id++)
        cr_assert_eq(aspace_unmap(&rig.memory, gpa(PAGE(id)), PAGE_SIZE), OK);
    memory_free_frame_impl(frames[0]);
    memory_free_frame_impl(frames[1]);
}

/* The page gets another frame, which begins with `byte`, and every vCPU is
 * asked to flush. */
static void move_page(uint64_t page, uint8_t byte)
{
    hpa_t frame = frames[byte % 2];

    cr_assert_eq(aspace_unmap(&rig.memory, gpa(page), PAGE_SIZE), OK);
    cr_assert_eq(
        aspace_map_linear(&rig.memory, gpa(page), frame, PAGE_SIZE, MEM_RWX),
        OK);
    cr_assert_eq(aspace_write(&rig.memory, gpa(page), &byte, 1), OK);
    for (unsigned id = 0; id < RIG_VCPUS; id++)
        vcpu_request(rig.peers[id], VCPU_REQUEST_FLUSH);
}

static void expect_byte(unsigned id, uint32_t cpu, uint64_t page, uint8_t byte)
{
    cr_expect_eq(load_byte(rig_bind(id, cpu), page).value, byte,
                 "vCPU %u on CPU %u", id, cpu);
    rig_unbind(id);
}

static const char *const profiles[] = {"virt", "plain", "full"};

/* Pages are moved away under vCPUs that wander over the CPUs: the fake TLB
 * reports every access by a translation that is gone. */
Test(vmid, a_vcpu_that_moves_meets_no_stale_translation)
{
    static const uint32_t cpus[] = {0, 1, 0, 0, 2, 1, 0, 3, 3, 0};

    for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
        rig_start(profiles[i]);
        take_frames();
        for (uint64_t turn = 0; turn < ARRAY_SIZE(cpus); turn++) {
            for (unsigned id = 0; id < 2; id++) {
                uint8_t byte = (uint8_t)(2 * id + turn);

                move_page(PAGE(id), byte);
                expect_byte(id, cpus[turn], PAGE(id), byte);
            }
        }
        give_frames_back();
        rig_stop();
    }
}

/* A vCPU that has flushed elsewhere comes to a CPU where another one, which
 * has not been there since, has left its translations. */
Test(vmid, what_another_vcpu_left_is_not_used)
{
    for (size_t i = 0; i < ARRAY_SIZE(profiles); i++) {
        rig_start(profiles[i]);
        take_frames();
        move_page(PAGE(0), 1);
        expect_byte(0, 0, PAGE(0), 1);
        move_page(PAGE(0), 2);
        expect_byte(1, 1, PAGE(0), 2);
        expect_byte(1, 0, PAGE(0), 2);
        give_frames_back();
        rig_stop();
    }
}
