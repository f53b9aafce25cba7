package actors

import (
	"testing"

	"weir/columns"
	"weir/columns/mark"
	"weir/messages"
)

// A tap hears all that a source has sent, and goes on having it when the shard is done with the batch.
func TestTapHearsAllOfABatch(t *testing.T) {
	b := messages.NewBatch()
	b.Source, b.Snapshot = "suricata", 7
	alias := messages.Key{Zone: 1}
	b.Add(&messages.Update{ID: 1}, &alias, []columns.Tag{mark.Column.Tag(1)})
	b.Facts = append(b.Facts, messages.Fact{Kind: messages.FactHost, Name: "camera"})
	c := copyBatch(b)
	b.Release()
	if c.Source != "suricata" || c.Snapshot != 7 || len(c.Updates) != 1 {
		t.Fatalf("got %+v", c)
	}
	if a, tags := c.AliasOf(&c.Updates[0]), c.TagsOf(&c.Updates[0]); *a != alias || len(tags) != 1 ||
		tags[0].Column != mark.Column.Column {
		t.Errorf("alias %+v, tags %+v", a, tags)
	}
	if len(c.Facts) != 1 || c.Facts[0].Name != "camera" {
		t.Errorf("facts %+v", c.Facts)
	}
	c.Release()
}
