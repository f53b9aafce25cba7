package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"time"

	"weir/sources"
)

// Print tells the user what is about to happen, or what did not.
type Print func(format string, args ...any)

// Apply makes one change and records it. A change that is already as wanted is left alone and not recorded.
func (j *Journal) Apply(ctx context.Context, c sources.Change, now time.Time, tell Print) error {
	c, needed, err := j.prepare(c)
	if err != nil || !needed {
		return err
	}
	Describe(c, tell)
	j.entries = append(j.entries, Entry{Change: c, State: Doing, At: now.UTC()})
	if err := j.save(); err != nil {
		j.entries = j.entries[:len(j.entries)-1]
		return err
	}
	if err := j.do(ctx, c); err != nil {
		return errors.Join(err, j.failed(c, err))
	}
	j.entries[len(j.entries)-1].State = Done
	return j.save()
}

// prepare notes what is really there now, which is what undoing must bring back.
func (j *Journal) prepare(c sources.Change) (_ sources.Change, needed bool, err error) {
	switch c.Kind {
	case "write":
		now, exists, err := j.machine.read(c.Path)
		if err != nil {
			return c, false, fmt.Errorf("read %s: %w", c.Path, err)
		}
		if exists && same(now, c.New) {
			return c, false, nil
		}
		c.Old, c.Created = now, !exists
		return c, true, nil
	case "run":
		return c, len(c.Do) > 0, nil
	default:
		return c, false, fmt.Errorf("change of unknown kind %q", c.Kind)
	}
}

func (j *Journal) do(ctx context.Context, c sources.Change) error {
	if c.Kind == "run" {
		return j.machine.run(ctx, c.Do)
	}
	if err := j.machine.write(c.Path, c.New); err != nil {
		return fmt.Errorf("write %s: %w", c.Path, err)
	}
	return nil
}

// failed drops the last entry if it is certain that nothing has happened. A command that ran and failed may
// have done a part, so that its entry stays.
func (j *Journal) failed(c sources.Change, err error) error {
	if c.Kind == "run" && !errors.Is(err, exec.ErrNotFound) && !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	j.entries = j.entries[:len(j.entries)-1]
	return j.save()
}

// Undo takes all changes back, the last one first. What cannot be taken back stays in the file, and the rest goes
// on: the error tells about it.
func (j *Journal) Undo(ctx context.Context, tell Print) error {
	var problems []error
	for i := len(j.entries) - 1; i >= 0; i-- {
		if err := ctx.Err(); err != nil {
			return errors.Join(append(problems, err)...)
		}
		if err := j.revert(ctx, &j.entries[i], tell); err != nil {
			problems = append(problems, err)
			continue
		}
		j.entries = slices.Delete(j.entries, i, i+1)
		if err := j.save(); err != nil {
			return errors.Join(append(problems, err)...)
		}
	}
	return errors.Join(problems...)
}

// revert takes one change back. Nil means that there is nothing more to do about it.
func (j *Journal) revert(ctx context.Context, e *Entry, tell Print) error {
	if e.Change.Kind == "run" {
		return j.revertRun(ctx, e, tell)
	}
	return j.revertWrite(e.Change, tell)
}

// revertRun runs the command that takes another one back. While it runs the entry is in doubt, so that it
// may fail when it is run once more after a crash.
func (j *Journal) revertRun(ctx context.Context, e *Entry, tell Print) error {
	if len(e.Change.Undo) == 0 {
		tell("leave as it is: %s (there is no way back)", e.Change.Text)
		return nil
	}
	tell("undo: %s", e.Change.Text)
	tell("  run: %s", Command(e.Change.Undo))
	before := e.State
	e.State = Doing
	if err := j.save(); err != nil {
		return err
	}
	err := j.machine.run(ctx, e.Change.Undo)
	if err == nil {
		return nil
	}
	if before == Doing {
		tell("  that failed, most likely because there was nothing to undo: %v", err)
		return nil
	}
	e.State = before
	return errors.Join(err, j.save())
}

func (j *Journal) revertWrite(c sources.Change, tell Print) error {
	now, exists, err := j.machine.read(c.Path)
	switch {
	case err != nil:
		return fmt.Errorf("read %s: %w", c.Path, err)
	case c.Created && !exists, !c.Created && exists && same(now, c.Old):
		return nil // It never happened, or was taken back already.
	case exists && !same(now, c.New):
		tell("leave as it is: %s was changed by somebody else since", c.Path)
		return nil
	case c.Created:
		tell("undo: %s", c.Text)
		tell("  remove %s", c.Path)
		err = j.machine.remove(c.Path)
	default:
		tell("undo: %s", c.Text)
		tell("  write %s: %s → %s", c.Path, brief(now), brief(c.Old))
		err = j.machine.write(c.Path, c.Old)
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", c.Path, err)
	}
	return nil
}

// Describe prints a change before it is made.
func Describe(c sources.Change, tell Print) {
	tell("%s", c.Text)
	switch {
	case c.Kind == "run":
		tell("  run: %s", Command(c.Do))
	case c.Created:
		tell("  create %s: %s", c.Path, brief(c.New))
	default:
		tell("  write %s: %s → %s", c.Path, brief(c.Old), brief(c.New))
	}
}

// same compares contents as the kernel does, which adds a line feed to its numbers.
func same(a, b string) bool { return strings.TrimSpace(a) == strings.TrimSpace(b) }

// brief shows a content on one line.
func brief(content string) string {
	content = strings.TrimSpace(content)
	if len(content) > 200 {
		return fmt.Sprintf("%.200q… (%d bytes)", content, len(content))
	}
	return fmt.Sprintf("%q", content)
}

// plain are the bytes that mean nothing to a shell.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%"

// Command writes a command as a shell would take it.
func Command(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = w
		if w == "" || strings.Trim(w, plain) != "" {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}
