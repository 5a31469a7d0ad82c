package workflows

import (
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/workflow"
)

// Interceptor returns the interceptor that workers of ReplicationJob need. It
// keeps the order in which signals of different names arrived: each name has a
// channel of its own, and after a while without workers nobody could tell
// "resume, then pause" from "pause, then resume". Without the interceptor
// everything works, but signals that are waiting together are carried out in
// the order of job.Signals.
func Interceptor() interceptor.WorkerInterceptor { return &arrivalInterceptor{} }

type arrivalInterceptor struct {
	interceptor.WorkerInterceptorBase
}

// InterceptWorkflow implements interceptor.WorkerInterceptor.
func (*arrivalInterceptor) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	return &arrivals{WorkflowInboundInterceptorBase: interceptor.WorkflowInboundInterceptorBase{Next: next}}
}

// arrivals notes signals as they arrive at one run.
type arrivals struct {
	interceptor.WorkflowInboundInterceptorBase
	signals []arrival
}

// arrival is one signal. payloads is how many it brought, 0 if nobody counted.
type arrival struct {
	name     string
	payloads int
}

type arrivalsKey struct{}

// ExecuteWorkflow hands the list to the workflow.
func (a *arrivals) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	return a.Next.ExecuteWorkflow(workflow.WithValue(ctx, arrivalsKey{}, a), in)
}

// HandleSignal notes the signal; the payload waits in the signal's channel.
func (a *arrivals) HandleSignal(ctx workflow.Context, in *interceptor.HandleSignalInput) error {
	a.signals = append(a.signals, arrival{in.SignalName, len(in.Arg.GetPayloads())})
	return a.Next.HandleSignal(ctx, in)
}
