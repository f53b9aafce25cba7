package replay

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"

	"weir/sources"
	"weir/sources/recording/recordingtest"
)

func TestRegistered(t *testing.T) {
	all := sources.All()
	i := slices.IndexFunc(all, func(d sources.Definition) bool { return d.Name == "replay" })
	if i < 0 {
		t.Fatal("the source is not registered")
	}
	c := all[i].Defaults()
	if c.Enabled() || c.Validate() != nil {
		t.Errorf("defaults: %+v", c)
	}
	if err := toml.Unmarshal([]byte("file = \"/x.rec\"\nspeed = 10\nloop = true\n"), c); err != nil {
		t.Fatal(err)
	}
	if got, ok := c.(*Config); !ok || !c.Enabled() || got.File != "/x.rec" || got.Speed != 10 || !got.Loop {
		t.Errorf("got %+v", c)
	}
}

func TestValidate(t *testing.T) {
	for _, speed := range []float64{0, 1, 0.25, 1e6} {
		if err := (&Config{Speed: speed}).Validate(); err != nil {
			t.Errorf("speed %v: %v", speed, err)
		}
	}
	for _, speed := range []float64{-1, math.NaN(), math.Inf(1), math.Inf(-1)} {
		c := &Config{Speed: speed}
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "speed: ") {
			t.Errorf("speed %v: %v", speed, err)
		}
		if _, err := c.New(sources.Core{}); err == nil {
			t.Errorf("speed %v: a source was built", speed)
		}
	}
}

func TestCheck(t *testing.T) {
	file := recordingtest.File(t)
	damaged := slices.Clone(file)
	damaged[len(damaged)-1] ^= 1
	for what, c := range map[string]struct {
		path  string
		level sources.Level
		text  string
	}{
		"whole":     {fileOf(t, file), sources.Good, "whole recording"},
		"torn":      {fileOf(t, file[:len(file)-1]), sources.Notice, "cut off"},
		"damaged":   {fileOf(t, damaged), sources.Broken, "checksum"},
		"other":     {fileOf(t, []byte("GIF89a")), sources.Broken, "not a recording"},
		"gone":      {"/nowhere/at/all.rec", sources.Broken, "no such file"},
		"directory": {t.TempDir(), sources.Broken, "not a regular file"},
	} {
		config := &Config{File: c.path}
		found := config.Check(t.Context())
		if len(found) != 1 || found[0].Level != c.level || !strings.Contains(found[0].Text, c.text) {
			t.Errorf("%s: %+v", what, found)
		}
		if (c.level == sources.Broken) != (found[0].Cure != "") {
			t.Errorf("%s: the cure is %q", what, found[0].Cure)
		}
	}
	if found := (&Config{}).Check(t.Context()); found != nil {
		t.Errorf("nothing to check: %+v", found)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Config{File: fileOf(t, file)}).readAll(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}
