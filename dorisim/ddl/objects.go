package ddl

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// Object is a resource, a storage policy or a function: the simulator stores and
// prints them, nothing else.
type Object struct {
	ID         int64
	Kind       parser.ObjectKind
	Name       string
	Database   string // of functions
	Version    int    // counts changes, from 0
	Properties map[string]string
	Arguments  string
	Class      string
	// Parameters are the names in the expression of an ALIAS function, which
	// Returns holds.
	Parameters []string
	Returns    string
}

// Signature is a function's name with its argument types.
func (o Object) Signature() string { return o.Name + "(" + o.Arguments + ")" }

// objects are those of a cluster.
type objects struct {
	mu   sync.Mutex
	list []Object
}

// Objects returns the objects of a kind, in the order of their creation;
// database restricts functions.
func (e *Executor) Objects(kind parser.ObjectKind, database string) []Object {
	e.objects.mu.Lock()
	defer e.objects.mu.Unlock()
	var found []Object
	for _, o := range e.objects.list {
		if o.Kind == kind && (kind != parser.FunctionObject || o.Database == database) {
			o.Properties = maps.Clone(o.Properties)
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b Object) int { return cmp.Compare(a.ID, b.ID) })
	return found
}

// object runs CREATE, ALTER and DROP of an object.
func (e *Executor) object(currentDB string, s *parser.ObjectStatement) error {
	o := Object{
		Kind: s.Kind, Name: s.Name.Name, Properties: maps.Clone(s.Properties),
		Arguments: s.Arguments, Class: s.Class, Parameters: s.Parameters, Returns: s.Returns,
	}
	if s.Kind == parser.FunctionObject && !s.Global {
		database, err := e.databaseName(currentDB, s.Name.Database)
		if err != nil {
			return err
		}
		o.Database = database
	}
	e.objects.mu.Lock()
	defer e.objects.mu.Unlock()
	at := slices.IndexFunc(e.objects.list, func(x Object) bool {
		return x.Kind == o.Kind && x.Database == o.Database && x.Name == o.Name && sameArguments(x.Arguments, o.Arguments)
	})
	switch s.Action {
	case parser.CreateObject:
		return e.createObject(o, at >= 0, s.Unless)
	case parser.DropObject:
		if at < 0 && s.Unless {
			return nil
		}
		if at < 0 {
			return missingObject(o)
		}
		e.objects.list = slices.Delete(e.objects.list, at, at+1)
		return nil
	}
	if at < 0 {
		return missingObject(o)
	}
	changed := maps.Clone(e.objects.list[at].Properties)
	if changed == nil {
		changed = map[string]string{}
	}
	maps.Copy(changed, o.Properties)
	e.objects.list[at].Properties = changed
	e.objects.list[at].Version++
	return nil
}

func sameArguments(a, b string) bool {
	return strings.EqualFold(strings.ReplaceAll(a, " ", ""), strings.ReplaceAll(b, " ", ""))
}

func (e *Executor) createObject(o Object, exists, unless bool) error {
	switch {
	case exists && unless:
		return nil
	case exists && o.Kind == parser.ResourceObject:
		return core.Errorf("Resource(%s) already exist", o.Name)
	case exists && o.Kind == parser.StoragePolicyObject:
		return core.Errorf("policy %s already create", o.Name)
	case exists:
		return core.Errorf("function already exists")
	case o.Kind == parser.ResourceObject && o.Properties["type"] == "":
		return core.Errorf("Resource type can't be null")
	case o.Kind == parser.StoragePolicyObject && o.Properties["storage_resource"] == "":
		return core.Errorf("Missing [storage_resource] in properties.")
	}
	o.ID = e.core.NextID()
	e.objects.list = append(e.objects.list, o)
	return nil
}

// repository refuses what concerns repositories: the simulator reaches no
// storage outside of its backends.
func repository(s *parser.RepositoryStatement) error {
	if s.Action != parser.CreateObject {
		return core.Errorf("Repository does not exist")
	}
	if s.Storage == "S3" && s.Properties["s3.endpoint"] == "" && s.Properties["AWS_ENDPOINT"] == "" {
		return core.Errorf("Missing [s3.endpoint] in properties.")
	}
	return core.Errorf("Failed to create repository: [COMMON_ERROR, msg: connect to %s failed: dorisim has no remote storage]", strings.ToLower(s.Storage))
}

// hasResource tells whether a resource exists.
func (e *Executor) hasResource(name string) bool {
	return slices.ContainsFunc(e.Objects(parser.ResourceObject, ""), func(o Object) bool { return o.Name == name })
}

// missingResource is the refusal of an object that uses an unknown resource
// (doris-binlogs.md 2.3).
func missingResource(name string) error { return core.Errorf("Can not find resource: %s", name) }

func missingObject(o Object) error {
	switch o.Kind {
	case parser.ResourceObject:
		return core.Errorf("Resource(%s) does not exist", o.Name)
	case parser.StoragePolicyObject:
		return core.Errorf("storage policy(%s) has been dropped or does not exist.", o.Name)
	}
	return core.Errorf("Unknown function, function=%s", o.Signature())
}
