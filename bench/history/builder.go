package history

import (
	"net/netip"

	"weir/columns"
	"weir/columns/app"
	"weir/columns/direction"
	"weir/columns/iface"
	"weir/columns/ip"
	"weir/columns/mac"
	"weir/columns/name"
	"weir/columns/port"
	"weir/columns/proto"
	"weir/columns/tls"
	"weir/messages"
)

//nolint:gochecknoglobals // A constant table.
var ifaces = []string{"br-lan", "wlan0", "wlan1", "guest"}

// builder gathers the rows of one slice.
type builder struct {
	world *world
	rows  messages.Rows
	cells []*cells

	proto, direction, iface, app, tls, mac *cells
	lip, rip, lport, rport, name, site     *cells
}

// cells is one column, whose dictionary grows with each new cell.
type cells struct {
	messages.Cells
	byCell map[columns.Value]uint32
}

func newBuilder(w *world) *builder {
	b := &builder{world: w}
	b.proto, b.direction = b.column(proto.Column.Column), b.column(direction.Column.Column)
	b.iface, b.app = b.column(iface.Column.Column), b.column(app.Column.Column)
	b.tls, b.mac = b.column(tls.Version.Column), b.column(mac.Columns.Local)
	b.lip, b.rip = b.column(ip.Columns.Local), b.column(ip.Columns.Remote)
	b.lport, b.rport = b.column(port.Columns.Local), b.column(port.Columns.Remote)
	b.name, b.site = b.column(name.Columns.Remote), b.column(name.Site.Remote)
	return b
}

func (b *builder) column(c *columns.Column) *cells {
	n := &cells{
		Cells:  messages.Cells{Column: c, Dict: []columns.Value{""}},
		byCell: map[columns.Value]uint32{"": 0},
	}
	b.cells = append(b.cells, n)
	return n
}

func (c *cells) add(v columns.Value) {
	id, ok := c.byCell[v]
	if !ok {
		id = uint32(len(c.Dict)) //nolint:gosec // At most one a row.
		c.Dict = append(c.Dict, v)
		c.byCell[v] = id
	}
	c.IDs = append(c.IDs, id)
}

// add adds a row.
func (b *builder) add(f *flow, t messages.Totals, started bool) {
	d := &b.world.devices[f.device]
	b.proto.add(proto.Column.Value(f.proto))
	b.direction.add(direction.Column.Value(directionOf(f.remote)))
	b.iface.add(columns.JoinSet([]columns.Value{iface.Column.Value(ifaces[d.iface])}))
	b.app.add(b.world.apps[f.app])
	b.tls.add(tlsVersion(f.tls))
	b.mac.add(d.mac)
	b.lip.add(ip.Columns.Value(f.local))
	b.rip.add(ip.Columns.Value(f.remote))
	b.lport.add(portOf(f, f.lport))
	b.rport.add(portOf(f, f.rport))
	if f.host < 0 {
		b.name.add("")
		b.site.add("")
	} else {
		b.name.add(b.world.hosts[f.host].value)
		b.site.add(b.world.hosts[f.host].site)
	}
	r := &b.rows
	r.UpBytes, r.UpPackets = append(r.UpBytes, t.Up.Bytes), append(r.UpPackets, t.Up.Packets)
	r.DownBytes, r.DownPackets = append(r.DownBytes, t.Down.Bytes), append(r.DownPackets, t.Down.Packets)
	begun := uint32(0)
	if started {
		begun = 1
	}
	over := uint32(0)
	if f.left <= 1 {
		over = 1
	}
	r.Started, r.Ended = append(r.Started, begun), append(r.Ended, over)
}

func portOf(f *flow, p uint16) columns.Value {
	if f.proto == icmp {
		return ""
	}
	return port.Columns.Value(p)
}

func directionOf(remote netip.Addr) columns.Direction {
	if remote.IsPrivate() {
		return columns.DirectionSelf
	}
	return columns.DirectionOut
}

func tlsVersion(v int) columns.Value {
	switch v {
	case 12:
		return tls.Version.Value("1.2")
	case 13:
		return tls.Version.Value("1.3")
	default:
		return ""
	}
}

// finish gives the rows. Columns that no row has are left out.
func (b *builder) finish() *messages.Rows {
	for _, c := range b.cells {
		if len(c.Dict) > 1 {
			b.rows.Cells = append(b.rows.Cells, c.Cells)
		}
	}
	return &b.rows
}
