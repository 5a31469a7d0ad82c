// Hand-written subset of Apache Doris' wire contract: types shared by the frontend and the backend service.

namespace go types

struct TNetworkAddress {
  1: required string hostname
  2: required i32 port
}

struct TUniqueId {
  1: required i64 hi
  2: required i64 lo
}

// Hosts are the private addresses that the frontend uses itself.
struct TBackend {
  1: required string host
  2: required i32 be_port
  3: required i32 http_port
  4: optional i32 brpc_port
  5: optional bool is_alive
  6: optional i64 id
}

// Both ids are those of the destination cluster.
struct TTabletCommitInfo {
  1: required i64 tabletId
  2: required i64 backendId
  3: optional list<string> invalid_dict_cols
}

enum TSubTxnType {
  INSERT = 0,
  DELETE = 1
}

struct TSubTxnInfo {
  1: optional i64 sub_txn_id
  2: optional i64 table_id
  3: optional list<TTabletCommitInfo> tablet_commit_infos
  4: optional TSubTxnType sub_txn_type
}

struct TTableRef {
  1: optional string table
  3: optional string alias_name
}
