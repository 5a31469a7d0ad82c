package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/e2e/harness"
)

// image is a final stage of deploy/Dockerfile: what "docker run" starts, as whom,
// with which environment, and what is in its file system.
type image struct {
	uid, gid            uint32
	env                 []string
	entrypoint, command []string
	healthcheck         []string
	binaries, owned     []string // paths in the image; owned directories are of its user
}

// readImages reads the stages that begin from nothing.
func readImages(t *testing.T) map[string]*image {
	t.Helper()
	root, err := harness.Root()
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(root, "deploy", "Dockerfile"))
	require.NoError(t, err)
	images := map[string]*image{}
	var current *image
	for line := range strings.Lines(string(b)) {
		instruction, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		words := strings.Fields(rest)
		if instruction == "FROM" {
			current = nil
			if words[0] == "scratch" {
				current = &image{}
				images[words[2]] = current
			}
		}
		if current == nil {
			continue
		}
		list := func() (l []string) {
			require.NoError(t, json.Unmarshal([]byte(rest[strings.Index(rest, "["):]), &l), line)
			return l
		}
		switch instruction {
		case "USER":
			_, err := fmt.Sscanf(rest, "%d:%d", &current.uid, &current.gid)
			require.NoError(t, err, line)
		case "ENV":
			current.env = append(current.env, words...)
		case "ENTRYPOINT":
			current.entrypoint = list()
		case "CMD":
			current.command = list()
		case "HEALTHCHECK":
			current.healthcheck = list()
		case "COPY":
			from, to := words[len(words)-2], words[len(words)-1]
			switch {
			case strings.HasPrefix(words[1], "--chown="):
				current.owned = append(current.owned, to)
			case strings.HasPrefix(from, "/out/"):
				current.binaries = append(current.binaries, to)
			}
		}
	}
	return images
}

// unpack makes the image's file system, and what Docker mounts of /proc as far as
// programs read it: which program they are.
func (i *image) unpack(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for dir := root; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	for _, to := range i.binaries {
		built, err := harness.Binary(path.Base(to))
		require.NoError(t, err)
		b, err := os.ReadFile(built)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(root, to), b, 0o755))
	}
	for _, dir := range i.owned {
		require.NoError(t, os.Mkdir(filepath.Join(root, dir), 0o755))
		require.NoError(t, os.Chown(filepath.Join(root, dir), int(i.uid), int(i.gid)))
	}
	self := filepath.Join(root, "proc", "self")
	require.NoError(t, os.MkdirAll(self, 0o755))
	require.NoError(t, os.Symlink(i.entrypoint[0], filepath.Join(self, "exe")))
	return root
}

// process is a command in the image, as its user and with nothing but its
// environment and env.
func (i *image) process(ctx context.Context, root string, env []string, command ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = "/"
	cmd.Env = append(append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, i.env...), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: root, Credential: &syscall.Credential{Uid: i.uid, Gid: i.gid}, Pdeathsig: syscall.SIGKILL,
	}
	return cmd
}

// run starts what "docker run" would, until it is ready, and stops it as "docker
// stop" does.
func (i *image) run(t *testing.T, root string, env, args []string, ready func(context.Context) error) {
	t.Helper()
	var out strings.Builder
	command := append(append([]string{}, i.entrypoint...), args...)
	cmd := i.process(t.Context(), root, env, command...)
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var failed error
	waited := harness.Await(t.Context(), time.Minute, func(ctx context.Context) error {
		select {
		case failed = <-ended:
			return fmt.Errorf("%w: it has ended: %v", harness.ErrGiveUp, failed)
		default:
			return ready(ctx)
		}
	})
	if failed == nil {
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		failed = <-ended
	}
	require.NoError(t, waited, "%v\n%s", command, &out)
	require.NoError(t, failed, "%v\n%s", command, &out)
}

func answers(url string) func(context.Context) error {
	return func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return errors.New(resp.Status)
		}
		return nil
	}
}

// Each image's command starts in the image's file system, as the image's user, with
// no more than the image's environment: neither a list of users, nor $HOME, nor /tmp.
func TestImagesStart(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can be another user in another file system")
	}
	images := readImages(t)
	require.Len(t, images, 3)
	local := func() string {
		ports, err := harness.FreePorts(1)
		require.NoError(t, err)
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(ports[0]))
	}
	temporal := local()

	t.Run("ccr-standalone", func(t *testing.T) {
		i := images["ccr-standalone"]
		root := i.unpack(t)
		data := filepath.Join(root, "data")
		api, ui := local(), local()
		env := []string{"CCR_LISTEN=" + api, "CCR_TEMPORAL_LISTEN=" + temporal, "CCR_UI_LISTEN=" + ui}
		i.run(t, root, env, i.command, func(ctx context.Context) error {
			return errors.Join(answers("http://"+api+"/healthz")(ctx), answers("http://"+ui+"/healthz")(ctx), requirePrivate(data))
		})
		// What an earlier version has left to others, and what a copy has.
		for _, file := range []string{"temporal.db", "secret.key", "lock"} {
			require.FileExists(t, filepath.Join(data, file))
		}
		require.NoError(t, os.Chmod(filepath.Join(data, "temporal.db"), 0o644))
		i.run(t, root, env, i.command, func(ctx context.Context) error {
			if err := answers("http://" + api + "/healthz")(ctx); err != nil {
				return err
			}
			return requirePrivate(data) // while SQLite's log is there
		})
	})
	t.Run("ccr", func(t *testing.T) {
		dir := t.TempDir()
		embedded, address, err := harness.StartEmbeddedTemporal(t.Context(), dir, "")
		require.NoError(t, err)
		t.Cleanup(embedded.Kill)
		i := images["ccr"]
		root := i.unpack(t)
		env := []string{"CCR_LISTEN=" + local(), "CCR_TEMPORAL_ADDRESS=" + address, "CCR_SECRET_KEY=" + strings.Repeat("ab", 32)}
		i.run(t, root, env, i.command, func(ctx context.Context) error {
			out, err := i.process(ctx, root, env, i.healthcheck...).CombinedOutput()
			if err != nil {
				return fmt.Errorf("healthcheck: %w: %s", err, out)
			}
			return nil
		})
	})
	t.Run("dorisim", func(t *testing.T) {
		i := images["dorisim"]
		ports, err := harness.FreePorts(1)
		require.NoError(t, err)
		mysql := net.JoinHostPort("127.200.9.1", strconv.Itoa(ports[0]))
		i.run(t, i.unpack(t), nil, []string{"--host", "127.200.9.1", "--port-base", strconv.Itoa(ports[0])}, func(ctx context.Context) error {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", mysql)
			if err != nil {
				return err
			}
			return c.Close()
		})
	})
}

// requirePrivate: nobody but the owner may do anything with what is in dir.
func requirePrivate(dir string) error {
	seen := 0
	return errors.Join(filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == dir {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if seen++; info.Mode().Perm()&0o077 != 0 {
			return fmt.Errorf("%w: %s has the mode %s", harness.ErrGiveUp, file, info.Mode())
		}
		return nil
	}), func() error {
		if seen < 3 {
			return fmt.Errorf("only %d files in %s", seen, dir)
		}
		return nil
	}())
}
