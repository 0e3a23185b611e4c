/* SPDX-License-Identifier: Apache-2.0 */
/* What the self-test's guests ask for, in a7. */
#ifndef TESTS_IMAGE_CALLS_H
#define TESTS_IMAGE_CALLS_H

#define CALL_NOTHING 1 /* just comes back */
#define CALL_BUMP    2 /* every register gets its own number added */
#define CALL_RESULT  3 /* a0 is what the guest has found; it does not go on */

#endif
