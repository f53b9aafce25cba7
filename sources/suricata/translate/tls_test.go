package translate

import "testing"

func TestTLSVersion(t *testing.T) {
	for raw, want := range map[string]string{
		"TLS 1.3": "1.3", "TLS 1.2": "1.2", "TLS 1.1": "1.1", "TLSv1": "1.0", "SSLv3": "ssl3", "SSLv2": "ssl2",
		"TLS 1.3 draft-28": "1.3", "TLS 1.3 draft-<16": "1.3", "0x7f1c": "1.3", "0xfb1a": "1.3",
		"UNDETERMINED": "", "0x3230": "", "": "", "TLS 1.33": "", "nonsense": "",
	} {
		if got := tlsVersion(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestCommonName(t *testing.T) {
	for subject, want := range map[string]string{
		"CN=www.example.org":                                           "www.example.org",
		"C=CZ, O=A, OU=Web, CN=www.example.org":                        "www.example.org",
		"CN=www.example.org, O=A, C=CZ":                                "www.example.org",
		`C=CZ, O=Příklad s.r.o., OU=Web, "quoted", CN=www.example.org`: "www.example.org",
		"O=Example, Inc., CN=a, b, c, C=CZ":                            "a, b, c",
		"CN=a, 2=b, OU=c":                                              "a, 2=b",
		"C=US/O=A/CN=www.example.org":                                  "www.example.org",
		"C=US/CN=www.example.org/emailAddress=joe@example.org":         "www.example.org",
		"CN=www.example.org/emailAddress=joe@example.org":              "www.example.org",
		"C=CZ, O=A":            "",
		"O=XCN=a":              "",
		"":                     "",
		"CN=":                  "",
		"CN=, O=A":             "",
		"OU=CN=a, CN=b":        "b",
		"CN=a, CN=b":           "a",
		"CN=A/B Testing, O=C":  "A/B Testing",
		"CN=https://a.example": "https://a.example",
	} {
		if got := commonName(subject); got != want {
			t.Errorf("%q: %q, want %q", subject, got, want)
		}
	}
}

func TestHost(t *testing.T) {
	for raw, want := range map[string]string{
		"a.example": "a.example", "a.example:80": "a.example", "[::1]": "::1", "[::1]:80": "::1", "::1": "::1",
		"127.0.0.1:8080": "127.0.0.1", "joe:pw@a.example:80": "a.example", "a:b": "a:b", "": "", "[": "", ":80": "",
		"a.example:": "a.example",
	} {
		if got := host(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestAnonymous(t *testing.T) {
	for raw, want := range map[string]string{
		"/a?b=joe@example.org": "/a?b=joe@example.org", "http://a/b@c": "http://a/b@c", "": "",
		"joe:secret@a:443": "a:443", "joe@a": "a", "a:443": "a:443", "//joe:secret@a/b@c": "//a/b@c", "@": "", "*": "*",
		"http://a/?u=http://joe:secret@b/c": "http://a/?u=http://b/c", "?x@y": "?x@y", "a/b@c": "a/b@c", "://@": "://",
		"/go?to=ftp://joe:secret@b&as=joe@c": "/go?to=ftp://b&as=joe@c",
		"http://joe:secret@a/b":              "http://a/b", "ftp://joe@a": "ftp://a",
		"http://a@b@c?d@e": "http://c?d@e",
	} {
		if got := anonymous(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

func TestSIPHost(t *testing.T) {
	for raw, want := range map[string]string{
		"sip:joe@pbx.example": "pbx.example", "SIPS:pbx.example:5061;transport=tls": "pbx.example",
		"sip:joe@[2001:db8::1]:5060": "2001:db8::1", "tel:+420123": "", "joe": "", "": "", "sip:": "",
		"sip:joe@a?to=b@c": "a", "sip:joe;x=y@pbx.example": "pbx.example",
	} {
		if got := sipHost(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}
