package evelog

// entry is one type of events.
type entry struct {
	name string
	// since is the first version that knows it.
	since int
	// why is a comment, each line of it.
	why []string
	// options are lines below the name.
	options []string
	// ja4 says that the type has JA4 from version 7 on, if asked for.
	ja4 bool
	// off says that it is written as a comment, for the user to decide.
	off bool
}

// entries lists all types that Weir reads, in the order in which they are written.
func entries() []entry {
	return []entry{
		{
			name: "flow", since: 6,
			why: []string{
				"One event for each flow that ended: its protocol (app) and the hardware addresses. Leave it out if",
				"floods of connections write too much; what the other types tell stays.",
			},
		},
		{name: "dns", since: 6, why: []string{"Who asked for which name: most names come from here."}},
		{name: "mdns", since: 8, why: []string{"What the devices at home call themselves."}},
		{
			name: "tls", since: 6, ja4: true,
			why: []string{
				"Names of servers (SNI, certificate). Without session-resumption a resumed connection before TLS 1.3",
				"is not logged at all. No \"custom:\" here: it would switch extended off.",
			},
			options: []string{"extended: yes", "session-resumption: yes"},
		},
		{name: "quic", since: 7, ja4: true, why: []string{"HTTP/3: names of servers."}},
		{name: "http", since: 6, options: []string{"extended: yes"}},
		{name: "http2", since: 6},
		{name: "doh2", since: 8, why: []string{"DNS inside HTTP/2, where it is not encrypted."}},
		{
			name: "dhcp", since: 6,
			options: []string{"enabled: yes", "extended: yes"},
			why: []string{
				"Names of devices: only the request has one, and without extended only the answer is logged.",
			},
		},
		{
			name: "arp", since: 8, options: []string{"enabled: yes"},
			why: []string{"Which hardware address an address belongs to."},
		},
		{name: "ssh", since: 6},
		{name: "smb", since: 6},
		{name: "rdp", since: 6},
		{name: "sip", since: 6},
		{
			name: "mqtt", since: 6, options: []string{"passwords: no"},
			why: []string{"Weir reads the id of the client only."},
		},
		{name: "alert", since: 6, why: []string{"What rules found, if there are rules: sid and severity."}},
		{
			name: "smtp", since: 6, off: true,
			why: []string{
				"These two hold addresses of mail, user names and passwords. Weir reads none of that, only that the",
				"protocol is spoken and what the mail server calls itself; but all of it goes over the socket or into",
				"the file.",
			},
		},
		{name: "ftp", since: 6, off: true},
		{
			name: "flow_start", since: 6, off: true,
			why: []string{"Only a Suricata with the patch of Turris knows this; any other does not start with it."},
		},
	}
}
