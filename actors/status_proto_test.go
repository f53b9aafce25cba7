package actors

import (
	"reflect"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"weir/flows"
	"weir/messages/weirpb"
)

// cross sends a status through its protobuf form.
func cross(t *testing.T, s *Status) Status {
	t.Helper()
	data, err := proto.Marshal(StatusToProto(s))
	if err != nil {
		t.Fatal(err)
	}
	m := &weirpb.Status{}
	if err := proto.Unmarshal(data, m); err != nil {
		t.Fatal(err)
	}
	return StatusFromProto(m)
}

// fill sets everything in v that others can see, each to another value.
func fill(t *testing.T, v reflect.Value, n *int) {
	t.Helper()
	*n++
	switch {
	case !v.CanSet(): // Its package's own.
	case v.Type() == reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(int64(*n), 5).UTC()))
	case v.CanInt():
		v.SetInt(int64(*n))
	case v.CanUint():
		v.SetUint(uint64(*n))
	case v.CanFloat():
		v.SetFloat(float64(*n) + 0.5)
	case v.Kind() == reflect.Bool:
		v.SetBool(*n%2 == 0)
	case v.Kind() == reflect.String:
		v.SetString("text " + strconv.Itoa(*n))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(t, v.Index(i), n)
		}
	case v.Kind() == reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field, n)
		}
	default:
		t.Fatalf("a %v in the status", v.Type())
	}
}

// TestStatusCrosses fails if a field of the status was forgotten in the schema, or was taken for another one.
func TestStatusCrosses(t *testing.T) {
	for n := range 2 { // The second time each truth value is the other one.
		var want Status
		fill(t, reflect.ValueOf(&want).Elem(), &n)
		if diff := cmp.Diff(want, cross(t, &want), cmpopts.IgnoreUnexported(flows.Stats{})); diff != "" {
			t.Error(diff)
		}
	}
}

func TestStatusCrossesEmptyOrForeign(t *testing.T) {
	ignore := cmpopts.IgnoreUnexported(flows.Stats{})
	if diff := cmp.Diff(Status{}, cross(t, &Status{}), ignore, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
	s := Status{Actors: []ActorStatus{{Name: "a", LastError: "no \xff luck"}}}
	if got := cross(t, &s).Actors[0].LastError; got != "no \uFFFD luck" {
		t.Errorf("got %q", got)
	}
}
