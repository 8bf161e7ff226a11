/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One serial port. The plugin adds this table once for each instance, with the name COMX and the
 * values of _UID, PORT and GSIN replaced; their placeholders set the size that they are compiled to.
 */
DefinitionBlock ("", "SSDT", 2, "VMM", "SERIAL", 0x00000001)
{
    Scope (\_SB)
    {
        Device (COMX)
        {
            Name (_HID, EisaId ("PNP0501"))  // 16550A-compatible serial port
            Name (_UID, 0x11111111)
            Name (PORT, 0x2222)
            Name (GSIN, 0x33333333)
            Name (_STA, 0x0F)

            Method (_CRS, 0, Serialized)
            {
                Name (RBUF, ResourceTemplate ()
                {
                    IO (Decode16, 0x0000, 0x0000, 0x08, 0x08, IORS)
                    Interrupt (ResourceConsumer, Level, ActiveHigh, Shared, , , IRQS)
                    {
                        0x00000004
                    }
                })
                CreateWordField (RBUF, IORS._MIN, IMIN)
                CreateWordField (RBUF, IORS._MAX, IMAX)
                CreateDWordField (RBUF, IRQS._INT, INTN)
                IMIN = PORT
                IMAX = PORT
                INTN = GSIN
                Return (RBUF)
            }
        }
    }
}
