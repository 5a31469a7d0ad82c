package meta

// Frontend is one FE of a cluster as clients reach it.
type Frontend struct {
	Host       string `json:"host"`
	Port       int    `json:"port"`        // MySQL
	ThriftPort int    `json:"thrift_port"` // RPC
	IsMaster   bool   `json:"is_master"`
	// Private is what the cluster itself calls Host, if that differs: the key in
	// the host mapping.
	Private string `json:"private,omitempty"`
}
