/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host bridge and its windows. The integers at the top of PCI0 are set by pci_acpi.c; they are
 * written with all digits so that the compiler gives them their full width.
 */
DefinitionBlock ("", "SSDT", 2, "VMM", "PCI", 1)
{
	Scope (\_SB)
	{
		Device (PCI0)
		{
			Name (IOBA, 0x11223344) /* I/O window: first port */
			Name (IOLE, 0x11223344) /* and number of ports */
			Name (M3BA, 0x11223344) /* window for 32-bit BARs */
			Name (M3LE, 0x11223344)
			Name (M6BA, 0x1122334455667788) /* window for 64-bit BARs */
			Name (M6LE, 0x1122334455667788)
			Name (GSIB, 0x11223344) /* interrupt lines */
			Name (GSIC, 0x11223344)

			Name (_HID, EisaId ("PNP0A08"))
			Name (_CID, EisaId ("PNP0A03"))
			Name (_UID, Zero)
			Name (_SEG, Zero)
			Name (_BBN, Zero)

			Name (TMPL, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
					0, 0, 0, 0, 1)
				IO (Decode16, 0xcf8, 0xcf8, 1, 8)
				DWordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
					0, 0, 0, 0, 0, , , PIOW)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					NonCacheable, ReadWrite, 0, 0, 0, 0, 0, , , MM32)
			})
			Name (TM64, ResourceTemplate ()
			{
				QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed,
					Cacheable, ReadWrite, 0, 0, 0, 0, 0, , , MM64)
			})

			Method (_CRS, 0, Serialized)
			{
				CreateDWordField (TMPL, ^PIOW._MIN, PMIN)
				CreateDWordField (TMPL, ^PIOW._MAX, PMAX)
				CreateDWordField (TMPL, ^PIOW._LEN, PLEN)
				PMIN = IOBA
				PLEN = IOLE
				PMAX = IOBA + IOLE - One
				CreateDWordField (TMPL, ^MM32._MIN, DMIN)
				CreateDWordField (TMPL, ^MM32._MAX, DMAX)
				CreateDWordField (TMPL, ^MM32._LEN, DLEN)
				DMIN = M3BA
				DLEN = M3LE
				DMAX = M3BA + M3LE - One
				If (M6LE == Zero)
				{
					Return (TMPL)
				}
				CreateQWordField (TM64, ^MM64._MIN, QMIN)
				CreateQWordField (TM64, ^MM64._MAX, QMAX)
				CreateQWordField (TM64, ^MM64._LEN, QLEN)
				QMIN = M6BA
				QLEN = M6LE
				QMAX = M6BA + M6LE - One
				Return (ConcatenateResTemplate (TMPL, TM64))
			}

			/* Pin n of slot s is line (s + n) modulo GSIC. */
			Method (_PRT, 0, Serialized)
			{
				Local0 = Package (128) {}
				Local1 = Zero
				While (Local1 < 128)
				{
					Local2 = Local1 >> 2
					Local3 = Local1 & 3
					Local4 = Package (4) { Zero, Zero, Zero, Zero }
					Local4 [0] = (Local2 << 16) | 0xffff
					Local4 [1] = Local3
					Local4 [3] = GSIB + ((Local2 + Local3) % GSIC)
					Local0 [Local1] = Local4
					Local1 ++
				}
				Return (Local0)
			}

			/* The guest may look after the PCI Express capability; there is nothing else. */
			Method (_OSC, 4, Serialized)
			{
				CreateDWordField (Arg3, 0, CDW1)
				If (Arg0 != ToUUID ("33db4d5b-1ff7-401c-9657-7441c03dd766"))
				{
					CDW1 |= 0x04
					Return (Arg3)
				}
				If (Arg2 < 3)
				{
					CDW1 |= 0x02
					Return (Arg3)
				}
				CreateDWordField (Arg3, 8, CDW3)
				Local0 = CDW3 & 0x10
				If (Arg1 != One)
				{
					CDW1 |= 0x08
				}
				If (Local0 != CDW3)
				{
					CDW1 |= 0x10
				}
				CDW3 = Local0
				Return (Arg3)
			}
		}

		/* Keeps the guest from using the range of the ECAM for anything else. */
		Device (ECAM)
		{
			Name (ECBA, 0x11223344)
			Name (ECLE, 0x11223344)
			Name (_HID, EisaId ("PNP0C02"))
			Name (_UID, "ECAM")
			Name (TMPL, ResourceTemplate ()
			{
				Memory32Fixed (ReadWrite, 0, 0, MEM)
			})
			Method (_CRS, 0, Serialized)
			{
				CreateDWordField (TMPL, ^MEM._BAS, MBAS)
				CreateDWordField (TMPL, ^MEM._LEN, MLEN)
				MBAS = ECBA
				MLEN = ECLE
				Return (TMPL)
			}
		}
	}
}
