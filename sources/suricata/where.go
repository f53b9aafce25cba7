package suricata

// Where gives the path of one of the ways to listen, named as its key is; empty if it is not configured. It is
// how `weir suricata-config` learns what Suricata has to be told.
func (c *Config) Where(key string) string {
	return map[string]string{"stream": c.Stream, "datagram": c.Datagram, "file": c.File}[key]
}
