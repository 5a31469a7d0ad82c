package parser

import "strings"

// RepositoryStatement is CREATE, ALTER or DROP REPOSITORY.
type RepositoryStatement struct {
	Action ObjectAction
	Name   string
	// Storage is what WITH names: S3, HDFS, LOCAL or a broker; Location where.
	Storage, Location string
	Properties        Properties
}

func (*RepositoryStatement) statement() {}

// createRepository reads name WITH storage [broker] ON LOCATION 'url' PROPERTIES (..).
func (p *parser) createRepository() Statement {
	s := &RepositoryStatement{Action: CreateObject, Name: p.ident()}
	p.expect("WITH")
	s.Storage = strings.ToUpper(p.ident())
	if s.Storage == "BROKER" {
		p.ident()
	}
	p.expect("ON", "LOCATION")
	s.Location = p.str()
	s.Properties = p.optionalProperties()
	return s
}
