# SPDX-License-Identifier: Apache-2.0
"""Names of exit reasons: those of the processor by the manuals of AMD and Intel, those of KVM by its header."""

SVM = {
    0x60: "interrupt", 0x64: "interrupt window", 0x72: "cpuid", 0x78: "hlt", 0x7B: "port", 0x7C: "msr",
    0x400: "page fault or MMIO", 0x401: "avic", 0x402: "avic", 0x40: "exception", 0x65: "cr0", 0x77: "pause",
    0x81: "vmmcall", 0x89: "wbinvd", 0x8D: "xsetbv", 0x61: "nmi", 0x62: "smi", 0x6E: "rdtsc", 0x6F: "rdpmc",
    0x76: "invd", 0x79: "invlpg", 0x10: "cr0", 0x14: "cr4",
}
VMX = {
    0: "exception", 1: "interrupt", 7: "interrupt window", 10: "cpuid", 12: "hlt", 18: "vmmcall", 28: "cr",
    29: "dr", 30: "port", 31: "msr read", 32: "msr write", 40: "pause", 44: "apic access", 45: "eoi",
    48: "page fault", 49: "MMIO", 52: "preemption timer", 54: "wbinvd", 55: "xsetbv", 56: "apic write",
}
USER = {
    0: "unknown", 2: "port", 4: "debug", 5: "hlt", 6: "MMIO", 8: "shutdown", 9: "fail entry", 10: "signal",
    17: "internal error", 24: "system event", 26: "eoi", 29: "msr read", 30: "msr write",
}


def is_amd():
    with open("/proc/cpuinfo") as file:
        return " svm " in file.read().replace("\n", " ")


def guest_reason(number, amd=None):
    table = SVM if (is_amd() if amd is None else amd) else VMX
    return table.get(number, f"{number:#x}")


def user_reason(number):
    return USER.get(number, str(number))
