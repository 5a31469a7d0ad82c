package apiserver

import (
	"encoding/json"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/job"
)

type openapiDoc struct {
	Paths map[string]map[string]struct {
		Role string `json:"x-ccr-role"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]openapiSchema `json:"schemas"`
	} `json:"components"`
}

type openapiSchema struct {
	Ref        string                   `json:"$ref"`
	AllOf      []openapiSchema          `json:"allOf"`
	Properties map[string]openapiSchema `json:"properties"`
	Required   []string                 `json:"required"`
	Items      *openapiSchema           `json:"items"`
	Type       string                   `json:"type"`
}

func readOpenAPI(t *testing.T, s *Server) openapiDoc {
	t.Helper()
	rec := askBy(s, "GET", "/openapi.json", "")
	require.Equal(t, http.StatusOK, rec.Code)
	// Parameters of a path stand beside its methods.
	var raw map[string]any
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &raw))
	for _, item := range raw["paths"].(map[string]any) {
		delete(item.(map[string]any), "parameters")
	}
	b, err := json.Marshal(raw)
	require.NoError(t, err)
	var doc openapiDoc
	require.NoError(t, json.Unmarshal(b, &doc))
	return doc
}

// Every route is documented with its role, and everything documented exists.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	s := newServer(t, newFake(), nil)
	doc := readOpenAPI(t, s)
	documented := map[string]string{}
	for path, item := range doc.Paths {
		for method, o := range item {
			documented[strings.ToUpper(method)+" "+path] = o.Role
		}
	}
	routed := map[string]string{}
	for _, p := range slices.Concat(s.operators(prometheus.NewRegistry()), s.resources()) {
		path, method := strings.ReplaceAll(p.path, ":name", "{name}"), p.method
		if strings.HasPrefix(path, "/view/") {
			path = "/view/{command}"
		}
		if method == "" { // it takes all methods; documented is the one that clients use
			method = http.MethodPost
			if _, ok := doc.Paths[path]["get"]; ok {
				method = http.MethodGet
			}
		}
		routed[method+" "+path] = p.role.String()
	}
	require.Equal(t, routed, documented)
}

// Every key of every body is documented, and no other.
func TestOpenAPIHasTheKeys(t *testing.T) {
	doc := readOpenAPI(t, newServer(t, newFake(), nil))
	for name, body := range map[string]any{
		"Base": base{}, "Problem": problem{}, "Accepted": accepted{}, "Features": featuresReply{},
		"NameRequest": nameRequest{}, "SkipBinlog": job.SkipBinlog{}, "HostMapping": job.HostMappings{}, "CredentialsRequest": credentialsRequest{}, "HostsRequest": hostsRequest{}, "OptionsRequest": optionsRequest{}, "TablePatterns": job.UpdateTables{}, "CreateRequest": createRequest{},
		"JobList": listReply{}, "CreateReply": createReply{}, "CheckReply": checkReply{}, "StatusReply": statusReply{}, "DetailReply": detailReply{}, "ProgressReply": progressReply{},
		"LagReply": lagReply{}, "EventsReply": eventsReply{}, "ViewRow": viewRow{},
		"Jobs": jobsResource{}, "Created": created{}, "Job": jobResource{}, "Status": statusObject{}, "Progress": progressObject{},
		"Lag": lagObject{}, "Events": eventsObject{}, "Clusters": Clusters{},
		"VerifyRequest": verifyRequest{}, "VerifyStatusRequest": verifyStatusRequest{}, "RepairRequest": repairRequest{},
		"VerifyReply": verifyReply{}, "VerifyStartedReply": startedReply{},
	} {
		compareKeys(t, doc, name, openapiSchema{Ref: "#/components/schemas/" + name}, reflect.TypeOf(body))
	}
}

// A reply that lacks a key which is always sent is not what the document says.
// Left out are the replies of operators that fall back to the base shape.
func TestOpenAPIRequiresTheKeys(t *testing.T) {
	doc := readOpenAPI(t, newServer(t, newFake(), nil))
	for name, body := range map[string]any{
		"Base": base{}, "Problem": problem{}, "Accepted": accepted{}, "Feature": featureFlag{}, "JobList": listReply{},
		"CheckResult": job.CheckResult{}, "Status": statusObject{}, "LastError": job.ProblemWords{}, "Detail": detailObject{}, "Cluster": clusterDetail{},
		"Frontend": frontendDetail{}, "Extra": extraDetail{}, "Progress": progressObject{}, "SubSyncState": subSyncState{},
		"PartialSyncData": partialSyncData{}, "FullSyncInfo": fullSyncInfo{}, "PartialSyncInfo": partialSyncInfo{},
		"Lag": lagObject{}, "LagReply": lagReply{}, "Event": job.Event{}, "Events": eventsObject{}, "ViewRow": viewRow{},
		"Jobs": jobsResource{}, "JobSummary": jobSummary{}, "Created": created{}, "Job": jobResource{},
		"Clusters": Clusters{}, "ClusterSeen": Cluster{}, "FrontendSeen": job.FrontendSeen{}, "BackendSeen": job.BackendSeen{}, "LogKept": job.LogKept{}, "ClusterJob": ClusterJob{},
		"VerifySchedule": scheduleObject{}, "Verification": verifyObject{}, "VerifyStarted": startedObject{},
	} {
		sent := map[string]bool{}
		alwaysSent(reflect.TypeOf(body), sent)
		var want []string
		for key, always := range sent {
			if always {
				want = append(want, key)
			}
		}
		require.ElementsMatch(t, want, doc.required(openapiSchema{Ref: "#/components/schemas/" + name}), "required keys of %s", name)
	}
}

// required resolves references and allOf.
func (d openapiDoc) required(s openapiSchema) []string {
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		s = d.Components.Schemas[name]
	}
	all := slices.Clone(s.Required)
	for _, part := range s.AllOf {
		all = append(all, d.required(part)...)
	}
	return all
}

// alwaysSent collects the keys of a struct as encoding/json does, and whether
// they are sent with an empty value, too.
func alwaysSent(typ reflect.Type, into map[string]bool) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	var embedded []reflect.Type
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && tag == "" {
			embedded = append(embedded, f.Type)
			continue
		}
		if _, hidden := into[tag]; !hidden && tag != "" && tag != "-" {
			into[tag] = !strings.HasPrefix(options, "omit")
		}
	}
	for _, e := range embedded {
		alwaysSent(e, into)
	}
}

// properties resolves references and allOf.
func (d openapiDoc) properties(s openapiSchema) map[string]openapiSchema {
	all := map[string]openapiSchema{}
	if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
		return d.properties(d.Components.Schemas[name])
	}
	for _, part := range s.AllOf {
		for k, v := range d.properties(part) {
			all[k] = v
		}
	}
	for k, v := range s.Properties {
		all[k] = v
	}
	return all
}

func compareKeys(t *testing.T, doc openapiDoc, where string, s openapiSchema, typ reflect.Type) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
		if typ.Kind() == reflect.Slice {
			if name, ok := strings.CutPrefix(s.Ref, "#/components/schemas/"); ok {
				s = doc.Components.Schemas[name]
			}
			require.NotNil(t, s.Items, where)
			s = *s.Items
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct || typ.Implements(reflect.TypeFor[json.Marshaler]()) {
		return
	}
	fields := map[string]reflect.Type{}
	jsonFields(typ, fields)
	properties := doc.properties(s)
	var want, got []string
	for k := range fields {
		want = append(want, k)
	}
	for k := range properties {
		got = append(got, k)
	}
	require.ElementsMatch(t, want, got, "%s: keys of %s against the document", where, typ)
	for k, field := range fields {
		compareKeys(t, doc, where+"."+k, properties[k], field)
	}
}

// jsonFields collects keys as encoding/json does: outer ones hide inner ones.
func jsonFields(typ reflect.Type, into map[string]reflect.Type) {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	var embedded []reflect.Type
	for i := range typ.NumField() {
		f := typ.Field(i)
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && tag == "":
			embedded = append(embedded, f.Type)
		case tag != "" && tag != "-":
			if _, hidden := into[tag]; !hidden {
				into[tag] = f.Type
			}
		}
	}
	for _, e := range embedded {
		jsonFields(e, into)
	}
}
