package workflows

import (
	"errors"
	"fmt"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

// command is one signal, decoded. refusal is set when it cannot be carried out
// whatever the state of the job.
type command struct {
	name    string
	args    job.Command
	refusal error
	// ignored is what was not understood of a command that can be carried out, nil if
	// nothing.
	ignored error
}

// inbox holds the commands that have arrived and not been carried out.
type inbox struct {
	root     workflow.Context
	order    *arrivals
	channels map[string]workflow.ReceiveChannel
	queue    []command
	// cancelled is set once a request to cancel the workflow became a command.
	cancelled bool
}

func newInbox(root workflow.Context) inbox {
	in := inbox{root: root, channels: map[string]workflow.ReceiveChannel{}}
	in.order, _ = root.Value(arrivalsKey{}).(*arrivals)
	if in.order == nil {
		in.order = &arrivals{}
	}
	for _, name := range job.Signals {
		in.channels[name] = workflow.GetSignalChannelWithOptions(root, name,
			workflow.SignalChannelOptions{Description: signalDescriptions[name]})
	}
	return in
}

// pending tells whether any command waits, read or unread.
func (in *inbox) pending() bool {
	return len(in.queue) > 0 || in.unread()
}

func (in *inbox) unread() bool {
	if len(in.order.signals) > 0 || (in.root.Err() != nil && !in.cancelled) {
		return true
	}
	for _, name := range job.Signals {
		if in.channels[name].Len() > 0 {
			return true
		}
	}
	return false
}

// read moves everything that has arrived into the queue. It does not block, so
// that nothing can arrive between it and a continue-as-new.
func (in *inbox) read() {
	for _, a := range in.order.signals {
		channel, known := in.channels[a.name]
		if !known {
			channel = workflow.GetSignalChannel(in.root, a.name)
		}
		if !in.receive(a, channel) {
			in.queue = append(in.queue, command{name: a.name, refusal: errors.New("the payload cannot be decoded")})
		}
	}
	in.order.signals = nil
	for _, name := range job.Signals {
		for in.receive(arrival{name: name}, in.channels[name]) {
		}
	}
	if in.root.Err() != nil && !in.cancelled {
		in.cancelled = true
		in.queue = append(in.queue, command{name: job.SignalDelete, args: job.Command{By: "a request to cancel the workflow"}})
	}
}

// receive takes one command from the channel, if there is one.
func (in *inbox) receive(a arrival, channel workflow.ReceiveChannel) bool {
	var raw converter.RawValue
	if channel.Len() == 0 || !channel.ReceiveAsync(&raw) {
		return false
	}
	c := decode(a.name, raw.Payload())
	if a.payloads > 1 && c.ignored == nil {
		c.ignored = fmt.Errorf("%d payloads instead of one", a.payloads)
	}
	c.refuseIgnored(in.root)
	in.queue = append(in.queue, c)
	return true
}

// next takes the oldest command from the queue.
func (in *inbox) next() (command, bool) {
	if len(in.queue) == 0 {
		return command{}, false
	}
	c := in.queue[0]
	in.queue = in.queue[1:]
	return c, true
}

var signalDescriptions = map[string]string{
	job.SignalPause:             `Stop replicating until resume. No payload needed.`,
	job.SignalResume:            `Go on after a pause, or retry a stalled job now.`,
	job.SignalDelete:            `End the job. Data on the destination stays.`,
	job.SignalSkipBinlog:        `{"skip_by":"silence","skip_commit_seq":1001} passes over one binlog; skip_by may also be "fullsync", or "partialsync" with skip_table and skip_table_id.`,
	job.SignalUpdateHostMapping: `{"src_host_mapping":{"private":"public"},"dest_host_mapping":{}} merges into the mappings; an empty public address removes one.`,
	job.SignalForceFullSync:     `Start a new full sync now.`,
	job.SignalDesync:            `Set is_being_synced=false on the destination tables. Pause first.`,
	job.SignalSync:              `Set is_being_synced=true on the destination tables.`,
	job.SignalContinueAsNew:     `Begin a new run with an empty history, e.g. after a deployment.`,
	job.SignalUpdateTables:      `{"include_tables":["o*"],"exclude_tables":["*_tmp"]} changes which tables a database job replicates; a list that is absent stays, an empty one is cleared.`,
	job.SignalUpdateCredentials: `{"src":{"user":"ccr","password":"ccr1:..."},"dest":{...}} logs in otherwise from now on; what is absent stays. "ccr seal" seals a password.`,
	job.SignalUpdateHosts:       `{"src":{"host":"fe9","port":9030,"thrift_port":9020,"tls":"verify-ca","tls_ca":"-----BEGIN..."},"dest":{...}} reaches the same cluster at another address, or by other TLS; what is absent stays.`,
	job.SignalUpdateOptions:     `{"replication_num":3,"commit_order":"per_table"}; what is absent stays.`,
	job.SignalRepair:            `{"repair":{"partial":{"table_id":11,"table":"orders","partitions":["p1"]},"report":"..."}} brings what a verification has found to differ.`,
	job.SignalVerified:          `Tells how a verification has ended. Verifications send it.`,
	job.SignalObserveLag:        `Ask the source how far behind the job is.`,
}
