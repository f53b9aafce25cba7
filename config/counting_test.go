package config

import (
	"strings"
	"testing"

	"weir/sources"
)

// meter is a source that may count all traffic.
type meter struct {
	stub
	by string
}

func (m *meter) CountsBy() string { return m.by }

func TestTwoSourcesMayNotCount(t *testing.T) {
	problems := func(first, second sources.Config) []*Problem {
		c := Default()
		c.Sources = []Source{{Name: "one", Config: first}, {Name: "two", Config: second}}
		return c.Validate()
	}
	on := stub{On: true}
	for _, fine := range [][2]sources.Config{
		{&meter{on, "enabled"}, &meter{on, ""}},
		{&meter{on, ""}, &meter{on, "statistics"}},
		{&meter{stub{}, "enabled"}, &meter{on, "statistics"}},
		{&on, &meter{on, "statistics"}},
	} {
		if p := problems(fine[0], fine[1]); len(p) != 0 {
			t.Errorf("%+v and %+v: %v", fine[0], fine[1], p[0])
		}
	}
	p := problems(&meter{on, "enabled"}, &meter{on, "statistics"})
	if len(p) != 1 || p[0].Key != "sources.two.statistics" ||
		!strings.Contains(p[0].Text, "because of sources.one.enabled") {
		t.Errorf("%v", p)
	}
}
