/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the platform device adds to the ACPI namespace. Numbers are those of platform.h.
 */
DefinitionBlock ("", "SSDT", 2, "VMM", "VMMPLATF", 0x00000001)
{
	/* SLP_TYP 5 for power-off; the second value has no register on a hardware-reduced machine. */
	Name (\_S5, Package (0x04) { 0x05, Zero, Zero, Zero })

	Scope (\_SB)
	{
		Device (RTC0)
		{
			Name (_HID, EisaId ("PNP0B00"))
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0070, 0x0070, 0x01, 0x02)
				IRQNoFlags () {8}
			})
		}

		/* Addresses that no driver may hand out: resets and ACPI registers. */
		Device (MBPT)
		{
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, 0x10)
			Name (_CRS, ResourceTemplate ()
			{
				IO (Decode16, 0x0060, 0x0060, 0x01, 0x01)
				IO (Decode16, 0x0064, 0x0064, 0x01, 0x01)
				IO (Decode16, 0x0092, 0x0092, 0x01, 0x01)
				IO (Decode16, 0x0600, 0x0600, 0x01, 0x03)
			})
		}

		Device (PWRB)
		{
			Name (_HID, EisaId ("PNP0C0C"))
		}

		/* Generic event device: its interrupt says that the power button was pressed. */
		Device (GED0)
		{
			Name (_HID, "ACPI0013")
			Name (_CRS, ResourceTemplate ()
			{
				Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) {9}
			})
			Method (_EVT, 1, Serialized)
			{
				If (Arg0 == 9)
				{
					Notify (PWRB, 0x80)
				}
			}
		}
	}
}
