package columnstest

import (
	"net/netip"

	"pgregory.net/rapid"

	"weir/columns"
)

// drawFlow makes up any flow, nonsense too: a derived column may not trust what it reads.
func drawFlow(rt *rapid.T) columns.Flow {
	return columns.Flow{
		Local:     drawEnd(rt, "local"),
		Remote:    drawEnd(rt, "remote"),
		Proto:     rapid.OneOf(rapid.SampledFrom([]uint8{1, 6, 17, 47, 58, 132}), rapid.Uint8()).Draw(rt, "proto"),
		Zone:      rapid.Uint16().Draw(rt, "zone"),
		Direction: columns.Direction(rapid.Uint8Range(0, 7).Draw(rt, "direction")),
	}
}

func drawEnd(rt *rapid.T, label string) columns.End {
	n := rapid.SampledFrom([]int{0, 4, 16}).Draw(rt, label+" family")
	addr, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(rt, label+" address"))
	return columns.End{Addr: addr.Unmap(), Port: rapid.Uint16().Draw(rt, label+" port")}
}
