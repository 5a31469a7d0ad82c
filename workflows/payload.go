package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/doris-ccr/ccr/job"
)

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
			c.refusal = fmt.Errorf("bad payload: %w", badShape(err))
			return c
		}
		c.ignored = unknownField(payload.GetData())
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
	case job.SignalUpdateCredentials:
		c.refusal = c.args.CheckCredentials()
	case job.SignalUpdateHosts:
		c.refusal = c.args.CheckHosts()
	case job.SignalUpdateOptions:
		c.refusal = c.args.CheckOptions()
	case job.SignalRepair:
		if c.args.Repair == nil || c.args.Repair.Partial.Table == "" {
			c.refusal = errors.New("there is no table to repair")
		}
	case job.SignalVerified:
		if c.args.Verified == nil {
			c.refusal = errors.New("nothing is told of the verification")
		}
	}
	if c.refusal != nil && c.ignored != nil {
		c.refusal = fmt.Errorf("%w (%w)", c.refusal, c.ignored)
	}
	return c
}

// refuseIgnored refuses a command of whose arguments a part was not understood: a
// misspelt field must not turn one table's copy into that of all. A command without
// arguments is carried out all the same, and the event says what was ignored.
func (c *command) refuseIgnored(ctx workflow.Context) {
	if c.name == job.SignalUpdateHosts && c.refusal == nil && c.args.ChangesTLS() && !reached(ctx, changeSideTLS) {
		c.refusal = errUnknownThen
		return
	}
	if c.ignored == nil || c.refusal != nil {
		return
	}
	switch c.name {
	case job.SignalSkipBinlog, job.SignalUpdateHostMapping, job.SignalUpdateTables, job.SignalRepair,
		job.SignalUpdateCredentials, job.SignalUpdateHosts, job.SignalUpdateOptions:
		if reached(ctx, changeStrictPayloads) {
			c.refusal = c.ignored
		}
	}
}

// badShape says in the words of JSON what encoding/json says in those of Go.
func badShape(err error) error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return err
	}
	if wrong.Value == "" {
		return err
	}
	if wrong.Field == "" {
		return fmt.Errorf(`it has to be a JSON object such as {"by": "me"}, not %s`, article(wrong.Value))
	}
	field := wrong.Field[strings.LastIndexByte(wrong.Field, '.')+1:]
	return fmt.Errorf("%q has to be %s, not %s", field, jsonKind(wrong.Type), article(wrong.Value))
}

func article(noun string) string {
	if strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

func jsonKind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int64, reflect.Int:
		return "a whole number"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Slice:
		return "a list"
	}
	return article(t.Kind().String())
}

// unknownField names a field that no command has, nil if there is none.
func unknownField(data []byte) error {
	strict := json.NewDecoder(bytes.NewReader(data))
	strict.DisallowUnknownFields()
	var args job.Command
	if err := strict.Decode(&args); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
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
