// Package activities holds the side effects that the workflow of a job asks
// for. They are thin: they open the passwords, keep the server informed by
// heartbeats, call into package replication and translate what comes back.
package activities

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync/atomic"

	"github.com/doris-ccr/ccr/failpoint"
	"github.com/doris-ccr/ccr/job"
	"github.com/doris-ccr/ccr/replication"
	"github.com/doris-ccr/ccr/secret"
)

// Activities are the activities of a worker, one method each, named as the
// constants job.Activity....
type Activities struct {
	// Webhook is told of changes of jobs' states. Set it before the first step.
	Webhook Webhook
	// Jobs answers for the jobs that are verified. Set it before the first
	// verification.
	Jobs Jobs
	// Tables answers for the tables of jobs that have many. Set it before the first
	// step.
	Tables Tables
	// NearServer tells that the Temporal server runs in this process. Set it before the
	// first step.
	NearServer bool

	keyring *secret.Keyring
	log     *slog.Logger
	// failpoints make jobs fail on purpose; nil outside tests.
	failpoints *failpoint.Set
	open       func(job.Spec, replication.Passwords) rooms
	heartbeats func(context.Context) confirmedHeartbeat
	shifts     atomic.Int64 // how many are under way in this process
	registry   *lagRegistry
	samples    samples // of the last hour
	known      *knownTables
}

// New returns the activities of a worker. The connector is shared by all of
// them and stays open.
func New(connector *replication.Connector, keyring *secret.Keyring, log *slog.Logger) *Activities {
	a := &Activities{
		keyring: keyring,
		log:     log,
		open: func(spec job.Spec, passwords replication.Passwords) rooms {
			return roomsOf(connector.Open(spec, passwords))
		},
		heartbeats: toServer,
		known:      newKnownTables(knownEntries),
	}
	a.registry = newLagRegistry(a.Lag)
	return a
}

// FailAt makes jobs fail at the failpoints that are on in set. For tests; call it
// before the worker starts.
func (a *Activities) FailAt(set *failpoint.Set) { a.failpoints = set }

// Steps returns the activities of the queue job.TaskQueue by name.
func (a *Activities) Steps() map[string]any {
	steps := map[string]any{
		job.ActivityCheck:            a.CheckJob,
		job.ActivityTakeSnapshot:     a.TakeSnapshot,
		job.ActivityRestoreSnapshot:  a.RestoreSnapshot,
		job.ActivityFinishSnapshot:   a.FinishSnapshot,
		job.ActivityApply:            a.ApplyBinlog,
		job.ActivityApplySeveral:     a.ApplyBinlogs,
		job.ActivityObserveLag:       a.ObserveLag,
		job.ActivityCleanUp:          a.CleanUpJob,
		job.ActivitySelectTables:     a.SelectTables,
		job.ActivityCheckSetup:       a.CheckSetup,
		job.ActivityDescribeClusters: a.DescribeClusters,
		job.ActivityDescribeTables:   a.DescribeTables,
		job.ActivityDescribeBinlogs:  a.DescribeBinlogs,
		job.ActivityNotify:           a.Notify,
		job.ActivityCheckChange:      a.CheckChange,
	}
	maps.Copy(steps, a.leanSteps())
	return steps
}

// Streams returns the activities of the queue job.StreamTaskQueue by name.
func (a *Activities) Streams() map[string]any {
	streams := map[string]any{job.ActivityStream: a.StreamUpserts}
	maps.Copy(streams, a.leanStreams())
	return streams
}

// connect opens the passwords and the job.
func (a *Activities) connect(spec job.Spec) (rooms, error) {
	source, err := a.keyring.Open(spec.Source.Password)
	if err != nil {
		return rooms{}, fmt.Errorf("password of the source cluster: %w", err)
	}
	destination, err := a.keyring.Open(spec.Destination.Password)
	if err != nil {
		return rooms{}, fmt.Errorf("password of the destination cluster: %w", err)
	}
	return a.open(spec, replication.Passwords{Source: source, Destination: destination}), nil
}

// reseal returns the job's passwords sealed with the key that seals now, nil if
// they are already. Only a job that runs can be sealed anew: nobody else may open
// its passwords.
func (a *Activities) reseal(spec job.Spec) (*job.Resealed, error) {
	source, err := a.keyring.Reseal(spec.Source.Password)
	if err != nil {
		return nil, fmt.Errorf("seal the password of the source cluster anew: %w", err)
	}
	destination, err := a.keyring.Reseal(spec.Destination.Password)
	if err != nil {
		return nil, fmt.Errorf("seal the password of the destination cluster anew: %w", err)
	}
	if source == spec.Source.Password && destination == spec.Destination.Password {
		return nil, nil
	}
	return &job.Resealed{Source: source, Destination: destination}, nil
}

// isKeyError tells errors about the key that sealed a password.
func isKeyError(err error) bool {
	return errors.Is(err, secret.ErrNoKey) || errors.Is(err, secret.ErrUnknownKey) || errors.Is(err, secret.ErrCorrupt)
}
