package evelog_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/sources/suricata/evelog"
)

// TestSuricataTakesIt has a real Suricata read what is written for its version. It is told by $WEIR_SURICATA (a list
// like $PATH, for several versions) or found in $PATH.
func TestSuricataTakesIt(t *testing.T) {
	programs := filepath.SplitList(os.Getenv("WEIR_SURICATA"))
	if len(programs) == 0 {
		program, err := exec.LookPath("suricata")
		if err != nil {
			t.Skip("no suricata here: apt-get install suricata, or name programs in WEIR_SURICATA")
		}
		programs = []string{program}
	}
	for _, program := range programs {
		version := versionOf(t, program)
		for _, transport := range evelog.Transports() {
			for _, fingerprints := range []bool{false, true} {
				o := evelog.Options{Version: version, Transport: transport, Fingerprints: fingerprints}
				o.Path = filepath.Join(t.TempDir(), "eve")
				name := fmt.Sprintf("%d-%s-%v", version, transport, fingerprints)
				t.Run(name, func(t *testing.T) { readBy(t, program, o) })
			}
		}
	}
}

// versionOf asks a program what it is.
func versionOf(t *testing.T, program string) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "-V").Output()
	if err != nil {
		t.Fatalf("%s -V: %v", program, err)
	}
	m := regexp.MustCompile(`version (\d+)\.`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("%s -V: %s", program, out)
	}
	version, err := strconv.Atoi(string(m[1]))
	if err != nil || version < evelog.Versions()[0] || version > evelog.Versions()[len(evelog.Versions())-1] {
		t.Skipf("nothing is written for Suricata %s", m[1])
	}
	return version
}

// readBy checks a whole configuration, whose other eve-log is a usual one.
func readBy(t *testing.T, program string, o evelog.Options) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"classification.config", "reference.config"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := fmt.Sprintf(`%%YAML 1.1
---
default-log-dir: %[1]s
classification-file: %[1]s/classification.config
reference-config-file: %[1]s/reference.config
default-rule-path: %[1]s
rule-files: []
outputs:
  - eve-log:
      enabled: yes
      filetype: regular
      filename: other.json
      types: [alert, anomaly, dns, flow, http, tls, stats]
`, dir) + text(t, o)
	file := filepath.Join(dir, "suricata.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-T", "-c", file, "-l", dir).CombinedOutput()
	if err != nil || strings.Contains(string(out), "No output module") {
		t.Errorf("suricata -T: %v\n%s\n%s", err, out, config)
	}
}
