package access

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// lookEvery is how often files are looked at for changes, at most: a token that
// is taken away stops working after that time.
const lookEvery = time.Second

// watch tells when one of some files has changed.
type watch struct {
	paths []string

	mu     sync.Mutex
	looked time.Time
	seen   string
}

// changed tells whether a file is not what it was at the last call that said so.
// Between two looks at the files lookEvery passes.
func (w *watch) changed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.looked) < lookEvery {
		return false
	}
	w.looked = time.Now()
	now := w.stamp()
	if now == w.seen {
		return false
	}
	w.seen = now
	return true
}

// stamp follows symbolic links: that is how Kubernetes swaps mounted secrets.
func (w *watch) stamp() string {
	all := ""
	for _, p := range w.paths {
		info, err := os.Stat(p)
		if err != nil {
			all += err.Error() + "\n"
			continue
		}
		all += fmt.Sprintf("%d %d %s\n", info.Size(), info.ModTime().UnixNano(), info.Mode())
	}
	return all
}
