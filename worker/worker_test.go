package worker

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"

	"github.com/doris-ccr/ccr/job"
)

// operator is a server that shows new search attributes only after some looks.
type operator struct {
	client.Client
	operatorservice.OperatorServiceClient
	have    map[string]enumspb.IndexedValueType
	pending map[string]enumspb.IndexedValueType
	looks   int
	added   int
	addErr  error
}

func (o *operator) OperatorService() operatorservice.OperatorServiceClient { return o }

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	if o.pending != nil {
		if o.looks++; o.looks > 2 {
			o.have, o.pending = o.pending, nil
		}
	}
	return &operatorservice.ListSearchAttributesResponse{CustomAttributes: o.have}, nil
}

func (o *operator) AddSearchAttributes(_ context.Context, in *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	o.added++
	o.pending = in.SearchAttributes
	return &operatorservice.AddSearchAttributesResponse{}, o.addErr
}

func TestSearchAttributesAreAddedOnceAndAwaited(t *testing.T) {
	o := &operator{}
	require.NoError(t, EnsureSearchAttributes(t.Context(), o, ""))
	require.Len(t, o.have, 5)
	require.Greater(t, o.looks, 1)
	require.NoError(t, EnsureSearchAttributes(t.Context(), o, ""))
	require.Equal(t, 1, o.added)
}

func TestAnotherProcessMayAddThemFirst(t *testing.T) {
	o := &operator{addErr: serviceerror.NewAlreadyExists("search attribute CcrSyncType already exists")}
	require.NoError(t, EnsureSearchAttributes(t.Context(), o, "ns"))
}

func TestASearchAttributeOfAnotherTypeIsAnError(t *testing.T) {
	o := &operator{have: map[string]enumspb.IndexedValueType{job.SearchAttributeSyncType: enumspb.INDEXED_VALUE_TYPE_INT}}
	require.ErrorContains(t, EnsureSearchAttributes(t.Context(), o, "ns"), "want Keyword")
}

func TestNewNeedsAClientAndAConnector(t *testing.T) {
	_, err := New(Options{})
	require.ErrorContains(t, err, "no Temporal client")
	_, err = New(Options{Client: &operator{}})
	require.ErrorContains(t, err, "no connector")
}

func TestHeartbeatsAreThrottledToLessThanHalfTheTimeout(t *testing.T) {
	o := Options{HeartbeatTimeout: 10 * time.Second, StreamSlots: 2000}
	require.Equal(t, 3*time.Second, stepOptions(o).MaxHeartbeatThrottleInterval)
	s := streamOptions(o)
	require.Equal(t, 3*time.Second, s.MaxHeartbeatThrottleInterval)
	require.Equal(t, 2000, s.MaxConcurrentActivityExecutionSize)
	require.Equal(t, 2, s.MaxConcurrentActivityTaskPollers)
	require.Equal(t, 30*time.Second, s.WorkerStopTimeout)
}

func TestDialNeedsAnAddress(t *testing.T) {
	_, err := Dial(t.Context(), DialOptions{})
	require.ErrorContains(t, err, "no Temporal address")
}
