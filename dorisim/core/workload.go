package core

import "sync"

// NormalWorkload is the workload group that always exists.
const NormalWorkload = "normal"

// WorkloadGroups are the workload groups of the cluster. They limit nothing: a
// query must name one that exists.
type WorkloadGroups struct {
	mu      sync.Mutex
	created map[string]bool
}

// Has tells whether there is a group of that name.
func (w *WorkloadGroups) Has(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return name == NormalWorkload || w.created[name]
}

// Add makes a group; it tells whether the group is new.
func (w *WorkloadGroups) Add(name string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if name == NormalWorkload || w.created[name] {
		return false
	}
	if w.created == nil {
		w.created = map[string]bool{}
	}
	w.created[name] = true
	return true
}

// Remove drops a group.
func (w *WorkloadGroups) Remove(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.created, name)
}
