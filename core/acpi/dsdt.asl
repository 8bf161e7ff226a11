/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine itself. Devices bring SSDTs of their own; there is nothing else that all machines
 * have in common and that AML could tell. CPUs are in the MADT.
 */
DefinitionBlock ("", "DSDT", 2, "VMM", "VMMPC1", 0x00000001)
{
	Scope (\_SB)
	{
		/* Addresses that no driver may hand out: local APICs and the I/O APIC. */
		Device (MBRD)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, Zero)
			Name (_CRS, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0xFEC00000, 0x00001000)
				Memory32Fixed (ReadWrite, 0xFEE00000, 0x00001000)
			})
		}
	}
}
