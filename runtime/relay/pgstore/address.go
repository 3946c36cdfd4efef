package pgstore

import (
	"fmt"
	"reflect"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// readOnlyTargets are the values of target_session_attrs that can lead to a server that
// accepts no writes, with pgx's function for each.
var readOnlyTargets = []struct {
	value    string
	validate pgconn.ValidateConnectFunc
}{
	{"read-only", pgconn.ValidateConnectTargetSessionAttrsReadOnly},
	{"standby", pgconn.ValidateConnectTargetSessionAttrsStandby},
	{"prefer-standby", pgconn.ValidateConnectTargetSessionAttrsPreferStandby},
}

// CheckAddress returns an error if target_session_attrs asks for a server that accepts
// no writes, because a relay cannot work there. [New] calls it. A program that creates
// its stores later can call it at its start.
func (s *Server) CheckAddress() error { return checkAddress(s.cfg.Conn) }

func checkAddress(conn *pgx.ConnConfig) error {
	if conn.ValidateConnect == nil {
		return nil
	}
	asked := reflect.ValueOf(conn.ValidateConnect).Pointer()
	for _, t := range readOnlyTargets {
		if reflect.ValueOf(t.validate).Pointer() == asked {
			return fmt.Errorf("target_session_attrs is %s (in the address, or in PGTARGETSESSIONATTRS): "+
				"this selects a server that accepts no writes, but the relay writes its lease and the outcome of each row: "+
				"write target_session_attrs=read-write", t.value)
		}
	}
	return nil
}
