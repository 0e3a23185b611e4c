/* SPDX-License-Identifier: Apache-2.0 */
/* For libfdt's headers, which include it and use nothing of it. */
