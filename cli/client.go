package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"weir/api"
	"weir/config"
)

// maxAnswer bounds what a command reads of an answer.
const maxAnswer = 256 << 20

// client asks a daemon.
type client struct {
	socket string
	http   *http.Client
}

// client makes a client for the socket that the flag, the environment or the configuration names.
func (a *App) client() *client {
	socket := a.socketPath()
	var d net.Dialer
	return &client{socket: socket, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return d.DialContext(ctx, "unix", socket)
		},
		DisableKeepAlives: true,
	}}}
}

// socketPath finds the socket. A user who is not root may have a daemon of his own; if there is none he means
// that of the system.
func (a *App) socketPath() string {
	if a.socket != "" {
		return a.socket
	}
	if s := a.variable("WEIR_SOCKET"); s != "" {
		return s
	}
	own := config.DefaultSocket(os.Geteuid(), a.variable("XDG_RUNTIME_DIR"), os.TempDir())
	// Mistakes in the file are for `weir run` and `weir config` to tell.
	l, err := config.Load(config.Options{File: a.variable(config.FileVariable)})
	if err == nil && l.File != "" && l.Socket != config.Default().Socket {
		return l.Socket
	}
	if _, err := os.Stat(own); err != nil {
		if _, err := os.Stat(config.SystemSocket); err == nil {
			return config.SystemSocket
		}
	}
	return own
}

// refusal is an error that the daemon answered with.
type refusal struct {
	status int
	api.Problem
}

func (r *refusal) Error() string { return r.Problem.Error }

// unreachable says why no daemon answered and what to do about it.
type unreachable struct {
	// text says why, cure what to do.
	text, cure string
	err        error
}

func (e *unreachable) Error() string { return e.text + "\n" + e.cure }
func (e *unreachable) Unwrap() error { return e.err }

// get sends a request. The caller closes the body.
func (c *client) get(ctx context.Context, path string, params url.Values, accept string) (*http.Response, error) {
	return c.send(ctx, http.MethodGet, path, params, accept)
}

// send sends a request of some method. The caller closes the body.
func (c *client) send(
	ctx context.Context, method, path string, params url.Values, accept string,
) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: "weir", Path: path, RawQuery: params.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", accept)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	r := &refusal{status: resp.StatusCode}
	data, err := readAnswer(resp.Body)
	if err != nil || json.Unmarshal(data, &r.Problem) != nil || r.Problem.Error == "" {
		r.Problem.Error = "the daemon answered " + resp.Status
	}
	return nil, r
}

// getAll sends a request and reads the whole answer.
func (c *client) getAll(ctx context.Context, path string, params url.Values, accept string) ([]byte, error) {
	resp, err := c.get(ctx, path, params, accept)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := readAnswer(resp.Body)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	return data, nil
}

func readAnswer(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = errors.New("the answer is larger than 256MiB: ask for less with --top or a filter")
	}
	return data, err
}

// explain says in one sentence why there is no answer, and what to do.
func (c *client) explain(ctx context.Context, err error) error {
	const another = "--socket PATH or WEIR_SOCKET names it"
	info, statErr := os.Stat(c.socket)
	u := &unreachable{err: err}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fs.ErrPermission):
		u.text, u.cure = "this user may not connect to "+c.socket, notPermitted(info)
	case errors.Is(err, fs.ErrNotExist):
		u.text = "no daemon answers: there is no socket " + c.socket
		u.cure = "start the daemon: sudo weir run\nif it listens on another socket, " + another
	case statErr == nil && info.Mode().Type() != fs.ModeSocket:
		u.text, u.cure = c.socket+" is not the socket of a daemon", another
	case errors.Is(err, syscall.ECONNREFUSED):
		u.text = "no daemon answers: the one that listened on " + c.socket + " is gone"
		u.cure = "start the daemon: sudo weir run"
	default:
		return fmt.Errorf("ask daemon: %w", err)
	}
	return u
}

// notPermitted says how to get at a socket that is closed to this user.
func notPermitted(info fs.FileInfo) string {
	const root = "use root: sudo weir …"
	if info == nil {
		return root
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Gid == 0 || info.Mode().Perm()&0o020 == 0 {
		return root + "\nor let a group in: socket_group in the configuration of the daemon"
	}
	group := strconv.Itoa(int(st.Gid))
	if g, err := user.LookupGroupId(group); err == nil {
		group = g.Name
	}
	return root + "\nor join the group that may: sudo usermod -aG " + group + " $USER, then log in again"
}
