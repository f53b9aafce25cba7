package test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"weir/test/netlab"
)

// long says that the tests take their time, as make test-long asks for.
var long = os.Getenv("WEIR_TEST_LONG") != ""

// lasting chooses how long something goes on.
func lasting(short, whenLong time.Duration) time.Duration {
	if long {
		return whenLong
	}
	return short
}

func TestMain(m *testing.M) {
	code := netlab.Main(m)
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

var built struct {
	once sync.Once
	dir  string
	err  error
}

// weir gives the path of the program, built from this tree at the first call, as these tests themselves are: with
// the race detector if they have it.
func weir(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		//nolint:usetesting // It outlives this test.
		if built.dir, built.err = os.MkdirTemp("", "weir-test-"); built.err != nil {
			return
		}
		// Another user runs it too.
		if built.err = os.Chmod(built.dir, 0o755); built.err != nil {
			return
		}
		args := []string{"build", "-o", filepath.Join(built.dir, "weir")}
		if raceEnabled {
			args = append(args, "-race")
		}
		out, err := exec.CommandContext(context.Background(), "go", append(args, "weir")...).CombinedOutput()
		if err != nil {
			built.err = fmt.Errorf("build weir: %w: %s", err, out)
		}
	})
	if built.err != nil {
		t.Fatal(built.err)
	}
	return filepath.Join(built.dir, "weir")
}
