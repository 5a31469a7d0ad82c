package parser

import "strings"

// ObjectKind is what an ObjectStatement is about.
type ObjectKind string

const (
	ResourceObject      ObjectKind = "RESOURCE"
	StoragePolicyObject ObjectKind = "STORAGE POLICY"
	FunctionObject      ObjectKind = "FUNCTION"
)

// ObjectAction is what an ObjectStatement does.
type ObjectAction string

const (
	CreateObject ObjectAction = "CREATE"
	AlterObject  ObjectAction = "ALTER"
	DropObject   ObjectAction = "DROP"
)

// ObjectStatement is CREATE, ALTER or DROP of what the simulator stores and
// prints without using it: resources, storage policies, functions.
type ObjectStatement struct {
	Action ObjectAction
	Kind   ObjectKind
	// Unless is IF NOT EXISTS of CREATE and IF EXISTS of DROP.
	Unless     bool
	Name       Name // only functions have a database
	Properties Properties
	// Arguments of a function, e.g. "INT, VARCHAR"; Class is "", ALIAS,
	// AGGREGATE or TABLES; Returns its type or, of an alias, its expression.
	Arguments, Class, Returns string
	// Parameters of an ALIAS function.
	Parameters []string
	// Global functions belong to no database.
	Global bool
}

func (*ObjectStatement) statement() {}

// objectKind consumes the words that say what an object statement is about.
func (p *parser) objectKind() (kind ObjectKind, class string, ok bool) {
	switch {
	case p.keyword("EXTERNAL", "RESOURCE"), p.keyword("RESOURCE"):
		return ResourceObject, "", true
	case p.keyword("STORAGE", "POLICY"):
		return StoragePolicyObject, "", true
	case p.keyword("FUNCTION"):
		return FunctionObject, "", true
	}
	for _, class := range []string{"ALIAS", "AGGREGATE", "TABLES"} {
		if p.keyword(class, "FUNCTION") {
			return FunctionObject, class, true
		}
	}
	return "", "", false
}

// objectStatement reads the rest of an object statement, if it is one.
func (p *parser) objectStatement(action ObjectAction) (Statement, bool) {
	global := p.keyword("GLOBAL")
	kind, class, ok := p.objectKind()
	if !ok {
		return nil, false
	}
	s := &ObjectStatement{Action: action, Kind: kind, Class: class, Global: global}
	switch action {
	case CreateObject:
		s.Unless = p.ifNotExists()
	case DropObject:
		s.Unless = p.ifExists()
	}
	switch {
	case kind == FunctionObject:
		p.function(s)
	case p.peek().Kind == String:
		s.Name.Name = p.str()
	default:
		s.Name.Name = p.dashedIdent()
	}
	s.Properties = p.optionalProperties()
	return s, true
}

// function reads name(types) and what its class has in addition.
func (p *parser) function(s *ObjectStatement) {
	s.Name = p.name()
	s.Arguments = p.parenthesised()
	switch {
	case s.Action != CreateObject:
	case s.Class == "ALIAS":
		p.expect("WITH", "PARAMETER")
		if parameters := p.parenthesised(); parameters != "" {
			for name := range strings.SplitSeq(parameters, ",") {
				s.Parameters = append(s.Parameters, strings.Trim(strings.TrimSpace(name), "`"))
			}
		}
		p.expect("AS")
		start := p.peek().Pos
		p.skipRest()
		s.Returns = strings.TrimSpace(p.src[start:p.peek().Pos])
	case p.keyword("RETURNS"):
		start := p.peek().Pos
		for p.err == nil && p.peek().Kind != EOF && !p.peek().Is("PROPERTIES") && !p.peek().Is("INTERMEDIATE") {
			p.next()
		}
		s.Returns = strings.TrimSpace(p.src[start:p.peek().Pos])
		if p.keyword("INTERMEDIATE") {
			p.parseType(0)
		}
	}
}

// parenthesised takes ( ... ) and returns the text inside of it.
func (p *parser) parenthesised() string {
	start := p.peek().End
	p.expectSymbol("(")
	for depth := 1; p.err == nil; {
		switch t := p.peek(); {
		case t.Kind == EOF:
			p.mismatch("')'")
			return ""
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			if depth--; depth == 0 {
				p.next()
				return strings.TrimSpace(p.src[start:t.Pos])
			}
		}
		p.next()
	}
	return ""
}
