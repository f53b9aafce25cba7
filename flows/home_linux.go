package flows

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
)

// FindHome finds the home networks of this machine. Home is every network of an interface through which
// no default route goes; a machine that has only interfaces with a default route is taken as a host
// among others, and the private networks of those are its home. All addresses of all interfaces are the
// router's own.
func FindHome() (*Home, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	outward := outwardInterfaces()
	var inner, private []netip.Prefix
	var own []netip.Addr
	for _, i := range ifs {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", i.Name, err)
		}
		for _, p := range prefixes(addrs) {
			own = append(own, p.Addr())
			switch {
			case i.Flags&net.FlagLoopback != 0 || p.Addr().IsLinkLocalUnicast():
			case outward[i.Name]:
				if p.Addr().IsPrivate() {
					private = append(private, p)
				}
			case i.Flags&net.FlagUp != 0:
				inner = append(inner, p)
			}
		}
	}
	if len(inner) == 0 {
		inner = private
	}
	return NewHome(inner, own), nil
}

// InterfacePrefixes lists the networks of one interface, for a configuration that names interfaces.
func InterfacePrefixes(name string) ([]netip.Prefix, error) {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("find interface %s: %w", name, err)
	}
	addrs, err := i.Addrs()
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", name, err)
	}
	return prefixes(addrs), nil
}

func prefixes(addrs []net.Addr) []netip.Prefix {
	var ps []netip.Prefix
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(n.IP)
		if !ok {
			continue
		}
		ones, _ := n.Mask.Size()
		ps = append(ps, netip.PrefixFrom(addr.Unmap(), ones))
	}
	return ps
}

// outwardInterfaces names the interfaces that a default route goes through, from the tables in /proc
// (proc_net_route and proc_net_ipv6_route of the kernel); an unreadable table has no routes.
func outwardInterfaces() map[string]bool {
	out := map[string]bool{}
	for path, read := range map[string]func(io.Reader, map[string]bool){
		"/proc/net/route":      defaultRoutes4,
		"/proc/net/ipv6_route": defaultRoutes6,
	} {
		f, err := os.Open(path)
		if err != nil {
			continue
		}
		read(f, out)
		_ = f.Close() // Only read from.
	}
	return out
}

// defaultRoutes4 reads lines "iface destination gateway flags … mask …" with numbers in hexadecimal.
func defaultRoutes4(r io.Reader, out map[string]bool) {
	for s := bufio.NewScanner(r); s.Scan(); {
		if f := strings.Fields(s.Text()); len(f) > 7 && f[1] == "00000000" && f[7] == "00000000" {
			out[f[0]] = true
		}
	}
}

// defaultRoutes6 reads lines "destination length source length next-hop metric … iface". The kernel
// lists a default route to lo that only rejects.
func defaultRoutes6(r io.Reader, out map[string]bool) {
	for s := bufio.NewScanner(r); s.Scan(); {
		f := strings.Fields(s.Text())
		if len(f) == 10 && f[1] == "00" && f[9] != "lo" && strings.Trim(f[0], "0") == "" {
			out[f[9]] = true
		}
	}
}
