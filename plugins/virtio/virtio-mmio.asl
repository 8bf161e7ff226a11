/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One virtio-mmio device. The name VXXX and the numbers of _UID, BASE and LINE are patched for each
 * device; BASE and LINE are numbers of their own because resources cannot be patched.
 */
DefinitionBlock ("virtio-mmio.aml", "SSDT", 2, "VMM", "VIRTMMIO", 0x00000001)
{
	Scope (\_SB)
	{
		Device (VXXX)
		{
			Name (_HID, "LNRO0005")
			Name (_CCA, One)
			Name (_UID, 0x1234)
			Name (BASE, 0x12345678)
			Name (LINE, 0x12345678)

			Method (_CRS, 0, Serialized)
			{
				Name (RBUF, ResourceTemplate ()
				{
					Memory32Fixed (ReadWrite, 0x00000000, 0x00001000, MEM)
					Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, , , IRQ)
					{
						0
					}
				})
				CreateDWordField (RBUF, MEM._BAS, MBAS)
				CreateDWordField (RBUF, IRQ._INT, IINT)
				MBAS = BASE
				IINT = LINE
				Return (RBUF)
			}
		}
	}
}
