package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"weir/api"
	"weir/config"
	"weir/messages"
	"weir/store/tiers"
)

// reached is the history, through the daemon or directly.
type reached interface {
	state(ctx context.Context) (*api.StoreState, error)
	Verify(ctx context.Context, progress tiers.Progress) (*tiers.Verified, error)
	Export(ctx context.Context, w io.Writer, format string, span messages.Span, progress tiers.Progress) error
	close()
}

// reach finds the history: that of the daemon if one answers, else the directory.
func (a *App) reach(ctx context.Context, f *configFlags) (reached, error) {
	c, l, err := a.daemonOf(f)
	if err != nil {
		return nil, err
	}
	_, err = c.getAll(ctx, "/v1/store", nil, "application/json")
	switch {
	case err == nil:
		return &remote{c}, nil
	case !noDaemon(err):
		return nil, err
	}
	h, err := a.openAlone(l)
	if err != nil {
		return nil, err
	}
	return &local{h, a}, nil
}

// noDaemon says that nobody listens.
func noDaemon(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// daemonOf gives a client for the daemon that a configuration is of.
func (a *App) daemonOf(f *configFlags) (*client, *config.Loaded, error) {
	l, err := a.load(f)
	if err != nil {
		return nil, nil, err
	}
	if f.file == "" && len(f.set) == 0 {
		return a.client(), l, nil
	}
	at := *a
	at.socket = l.Socket
	return at.client(), l, nil
}

var errDaemonRuns = errors.New("the daemon has the history open: stop it first (as with systemctl stop weir), and " +
	"start it afterwards; what moves meanwhile is counted then")

// alone opens the directory for what no daemon may see half of.
func (a *App) alone(ctx context.Context, f *configFlags) (*history, error) {
	c, l, err := a.daemonOf(f)
	if err != nil {
		return nil, err
	}
	if _, err := c.getAll(ctx, "/v1/store", nil, "application/json"); err == nil {
		return nil, errDaemonRuns
	}
	return a.openAlone(l)
}

// openAlone opens the directory.
func (a *App) openAlone(l *config.Loaded) (*history, error) {
	dir := l.StoreDir()
	at, err := become(dir)
	if err != nil {
		return nil, err
	}
	l.Store.Enabled = true
	l.Store.Rate = 0 // Somebody waits for it.
	h, err := newHistory(zerolog.Nop(), l.Config, at, a.Now())
	if err != nil {
		return nil, err
	}
	h.dir = dir
	if err := h.tryOpen(1); err != nil {
		return nil, errors.Join(h.whyClosed(), err)
	}
	return h, nil
}

// become has root go on as the owner of a directory, since the daemon could not read what root wrote there. Other users
// than root and the owner are refused. It tells how the directory is called from then on: the way to that of a dynamic
// user is open to root alone.
func become(dir string) (at string, err error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", fmt.Errorf("no daemon answers, and there is no history: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return dir, nil
	}
	uid, gid := int(st.Uid), int(st.Gid)
	if os.Geteuid() == 0 {
		// A dynamic user has no name while its service is stopped, so sudo could not do it.
		if err := cmp.Or(
			os.Chdir(dir), syscall.Setgroups([]int{gid}), syscall.Setgid(gid), syscall.Setuid(uid),
		); err != nil {
			return "", fmt.Errorf("become the user %d, whose the history is: %w", uid, err)
		}
		return ".", nil
	}
	name := "number " + strconv.Itoa(uid)
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		name = u.Username
	}
	return "", fmt.Errorf("no daemon answers, and %s belongs to the user %s: run this as that user or as root",
		dir, name)
}

// end closes a directory that a command has opened.
func (h *history) end(a *App) {
	if err := h.close(); err != nil {
		a.complain(err)
	}
}

// local is the directory.
type local struct {
	*history
	app *App
}

func (l *local) state(context.Context) (*api.StoreState, error) {
	st := l.State()
	return &st, nil
}

func (l *local) close() { l.end(l.app) }

// remote is the history of the daemon.
type remote struct{ client *client }

func (*remote) close() {}

func (r *remote) state(ctx context.Context) (*api.StoreState, error) {
	data, err := r.client.getAll(ctx, "/v1/store", nil, "application/json")
	if err != nil {
		return nil, err
	}
	st := &api.StoreState{}
	if err := json.Unmarshal(data, st); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return st, nil
}

// Verify has the daemon check.
func (r *remote) Verify(ctx context.Context, progress tiers.Progress) (*tiers.Verified, error) {
	v := &tiers.Verified{}
	err := r.client.long(ctx, "/v1/store/verify", nil, nil, progress, v)
	return v, err
}

// Export has the daemon hand out.
func (r *remote) Export(
	ctx context.Context, w io.Writer, format string, span messages.Span, progress tiers.Progress,
) error {
	params := url.Values{
		"format": {format}, "from": {span.Start.UTC().Format(time.RFC3339Nano)},
		"to": {span.End.UTC().Format(time.RFC3339Nano)},
	}
	return r.client.long(ctx, "/v1/store/export", params, w, progress, &struct{}{})
}

// maxLine bounds a line of an answer, maxContent what content follows one.
const maxLine, maxContent = 16 << 20, 64 << 20

// long sends a request whose answer takes long, and reads its events: content goes to w.
func (c *client) long(
	ctx context.Context, path string, params url.Values, w io.Writer, progress tiers.Progress, result any,
) error {
	resp, err := c.send(ctx, http.MethodPost, path, params, api.LongType)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	in := bufio.NewReaderSize(resp.Body, 64<<10)
	for {
		e, err := nextEvent(in)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("the daemon ended before it was done: %w", err)
		case e.Error != "":
			return &refusal{status: http.StatusOK, Problem: api.Problem{Error: e.Error}}
		case e.Data > maxContent || e.Data > 0 && w == nil:
			return errOddAnswer
		case e.Data > 0:
			if _, err := io.CopyN(w, in, int64(e.Data)); err != nil {
				return fmt.Errorf("copy: %w", err)
			}
		case e.Result != nil:
			if err := json.Unmarshal(e.Result, result); err != nil {
				return fmt.Errorf("read answer: %w", err)
			}
			return nil
		default:
			progress(e.Done, e.Of)
		}
	}
}

var errOddAnswer = errors.New("the daemon's answer makes no sense: are command and daemon of one version?")

func nextEvent(in *bufio.Reader) (e api.LongEvent, err error) {
	var line strings.Builder
	for {
		part, err := in.ReadSlice('\n')
		line.Write(part)
		if line.Len() > maxLine {
			return e, errOddAnswer
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return e, err
		}
		break
	}
	if err := json.Unmarshal([]byte(line.String()), &e); err != nil {
		return e, errOddAnswer
	}
	return e, nil
}
