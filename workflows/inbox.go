package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
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
	if len(in.order.names) > 0 || (in.root.Err() != nil && !in.cancelled) {
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
	for _, name := range in.order.names {
		channel, known := in.channels[name]
		if !known {
			channel = workflow.GetSignalChannel(in.root, name)
		}
		if !in.receive(name, channel) {
			in.queue = append(in.queue, command{name: name, refusal: errors.New("the payload cannot be decoded")})
		}
	}
	in.order.names = nil
	for _, name := range job.Signals {
		for in.receive(name, in.channels[name]) {
		}
	}
	if in.root.Err() != nil && !in.cancelled {
		in.cancelled = true
		in.queue = append(in.queue, command{name: job.SignalDelete, args: job.Command{By: "a request to cancel the workflow"}})
	}
}

// receive takes one command from the channel, if there is one.
func (in *inbox) receive(name string, channel workflow.ReceiveChannel) bool {
	var raw converter.RawValue
	if channel.Len() == 0 || !channel.ReceiveAsync(&raw) {
		return false
	}
	in.queue = append(in.queue, decode(name, raw.Payload()))
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

// decode reads a command's payload. The SDK would drop one of the wrong shape
// with no more than a line in a log; here its sender gets an answer.
func decode(name string, payload *commonpb.Payload) command {
	c := command{name: name}
	if !slices.Contains(job.Signals, name) {
		c.refusal = fmt.Errorf("there is no such command; known are %v", job.Signals)
		return c
	}
	encoding := string(payload.GetMetadata()[converter.MetadataEncoding])
	switch {
	case len(payload.GetData()) == 0:
		// No payload at all, as tctl sends it without --input.
	case encoding != converter.MetadataEncodingJSON:
		c.refusal = fmt.Errorf("the payload is %q, not JSON", encoding)
		return c
	default:
		if err := json.Unmarshal(payload.GetData(), &c.args); err != nil {
			c.args = job.Command{RequestID: requestID(payload.GetData())}
			c.refusal = fmt.Errorf("bad payload: %w", err)
			return c
		}
	}
	switch name {
	case job.SignalSkipBinlog:
		c.refusal = c.args.SkipBinlog.Normalize()
	case job.SignalUpdateHostMapping:
		if len(c.args.Source) == 0 && len(c.args.Destination) == 0 {
			c.refusal = job.ErrHostMappingEmpty
		}
	case job.SignalUpdateTables:
		_, c.refusal = c.args.UpdateTables.Filter(job.TableFilter{})
	}
	return c
}

// requestID finds the request id in a payload that is otherwise unreadable, so
// that whoever waits for the outcome hears of the refusal.
func requestID(data []byte) string {
	var fields map[string]json.RawMessage
	var id string
	if json.Unmarshal(data, &fields) != nil || json.Unmarshal(fields["request_id"], &id) != nil {
		return ""
	}
	return id
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
	job.SignalObserveLag:        `Ask the source how far behind the job is.`,
}
