package test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"weir/test/netlab"
)

// realSuricata finds the programs to test with: those that $WEIR_SURICATA lists (as $PATH lists folders), or the one
// in $PATH.
func realSuricata(t *testing.T) []string {
	t.Helper()
	if programs := filepath.SplitList(os.Getenv("WEIR_SURICATA")); len(programs) > 0 {
		return programs
	}
	program, err := exec.LookPath("suricata")
	if err != nil {
		t.Skip("no suricata here: apt-get install suricata, or name programs in WEIR_SURICATA")
	}
	return []string{program}
}

// majorOf asks a program for its version.
func majorOf(t *testing.T, program string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "-V").Output()
	m := regexp.MustCompile(`version (\d+)\.`).FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("%s -V: %v: %s", program, err, out)
	}
	return string(m[1])
}

// capture starts a Suricata that looks at the inner side of the router and has been told by `weir suricata-config` what
// to write. It ends with the test.
func (d *daemon) capture(t *testing.T, program string) {
	t.Helper()
	section, err := d.run("suricata-config", "--for", majorOf(t, program), "--config", d.file)
	if err != nil {
		t.Fatalf("weir suricata-config: %v: %s", err, section)
	}
	dir := t.TempDir()
	for _, name := range []string{"classification.config", "reference.config"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "suricata.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `%%YAML 1.1
---
default-log-dir: %[1]s
classification-file: %[1]s/classification.config
reference-config-file: %[1]s/reference.config
default-rule-path: %[1]s
rule-files: []
unix-command: {enabled: no}
stats: {enabled: no}
app-layer:
  protocols:
    tls: {enabled: yes, detection-ports: {dp: 443}}
    http: {enabled: yes}
    dns:
      tcp: {enabled: yes, detection-ports: {dp: 53}}
      udp: {enabled: yes, detection-ports: {dp: 53}}
af-packet:
  - interface: lan0
    threads: 1
logging:
  outputs:
    - console: {enabled: yes}
outputs:
%[2]s`, dir, section), 0o600); err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	// The checksums of packets that never leave the machine are not filled in.
	c := exec.CommandContext(context.Background(), program, "-c", file, "-l", dir, "--af-packet=lan0", "-k", "none")
	c.Stdout, c.Stderr, c.Dir = log, log, dir
	if err := d.lab.Router.Start(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		killer := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
		defer killer.Stop()
		if err := c.Wait(); err != nil || t.Failed() {
			t.Logf("suricata ended with %v:\n%s", err, log)
		}
	})
}

// web are two servers at one address: one with TLS, one without.
type web struct {
	lab          *netlab.Lab
	plain, coded netip.AddrPort
	// curves are those that clients offer, nil for what clients of today do.
	curves []tls.CurveID
}

func startWeb(t *testing.T, l *netlab.Lab) web {
	t.Helper()
	w := web{lab: l, plain: netip.AddrPortFrom(l.Server4(), 80), coded: netip.AddrPortFrom(l.Server4(), 443)}
	page := http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		_, _ = io.CopyN(out, zeros{}, 100_000)
	})
	for _, at := range []netip.AddrPort{w.plain, w.coded} {
		s := &http.Server{Handler: page, ReadHeaderTimeout: patience}
		var listener net.Listener
		if err := l.Server.Do(func() (err error) {
			listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", at.String())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if at == w.coded {
			listener = tls.NewListener(listener, &tls.Config{
				Certificates: []tls.Certificate{certificate(t)}, MinVersion: tls.VersionTLS12,
			})
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve(listener) }()
		t.Cleanup(func() {
			if err := errors.Join(s.Close(), <-done); !errors.Is(err, http.ErrServerClosed) {
				t.Error(err)
			}
		})
	}
	return w
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// certificate makes one that nobody trusts.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	raw, err := x509.CreateCertificate(rand.Reader, text, text, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// get asks for a page as a client does who was told the server's name.
func (w web) get(ctx context.Context, client netip.Addr, url string) error {
	to := w.plain
	if url[:5] == "https" {
		to = w.coded
	}
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{
			InsecureSkipVerify: true, // It is our own server.
			CurvePreferences:   w.curves,
		},
		DialContext: func(ctx context.Context, _, _ string) (c net.Conn, err error) {
			d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(anyPort(client)), KeepAlive: -1}
			err = w.lab.Client.Do(func() error {
				c, err = d.DialContext(ctx, "tcp", to.String())
				return err
			})
			return c, err
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := (&http.Client{Transport: transport, Timeout: patience}).Do(request)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return errors.Join(err, answer.Body.Close())
}

// TestRealSuricata: a real Suricata, told by `weir suricata-config` what to write, gives connections their names; the
// bytes of each name are those that the router's own counters have.
func TestRealSuricata(t *testing.T) {
	for _, program := range realSuricata(t) {
		t.Run(majorOf(t, program), func(t *testing.T) {
			// Suricata looks at packets as long as those on a wire.
			l := netlab.New(t, netlab.Options{Sysctls: quick, NoOffload: true})
			w := startWeb(t, l)
			if majorOf(t, program) == "6" {
				// It does not understand a greeting of more than one segment, as one with newer curves is.
				w.curves = []tls.CurveID{tls.X25519}
			}
			d, _ := startNamed(t, l)
			d.capture(t, program)
			// Until it captures, somebody else asks again and again.
			if err := netlab.Poll(t.Context(), patience, func() error {
				if err := w.get(t.Context(), l.Clients4[2], "https://probe.example.org/"); err != nil {
					return err
				}
				sums, err := d.byName()
				if _, there := sums["probe.example.org"]; err == nil && !there {
					err = fmt.Errorf("the probe has no name: %+v", sums)
				}
				return err
			}); err != nil {
				d.complain(t)
				t.Fatal(err)
			}
			for _, url := range []string{"https://www.example.org/", "https://WWW.example.org/again"} {
				if err := w.get(t.Context(), l.Clients4[0], url); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.get(t.Context(), l.Clients4[1], "http://shop.example.org/"); err != nil {
				t.Fatal(err)
			}
			d.awaitNames(t, l, map[string]netip.Addr{
				"www.example.org": l.Clients4[0], "shop.example.org": l.Clients4[1],
			})
		})
	}
}
