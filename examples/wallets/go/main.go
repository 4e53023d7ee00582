// The wallets in Go on nothing but grpc-go: discovery, and the event-sourced protocol in entity.go.
package main

import (
	"context"
	"log"
	"net"
	"os"
	"runtime"

	"example.com/wallets/gen/cloudstate"
	"example.com/wallets/gen/eventsourced"
	"example.com/wallets/gen/wallets"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// discovery tells Mecha what this process serves.
type discovery struct {
	cloudstate.UnimplementedEntityDiscoveryServer
}

func (discovery) Discover(context.Context, *cloudstate.ProxyInfo) (*cloudstate.EntitySpec, error) {
	set := &descriptorpb.FileDescriptorSet{}
	addWithImports(set, wallets.File_wallets_proto, map[string]bool{})
	descriptors, err := proto.Marshal(set)
	if err != nil {
		return nil, err
	}
	return &cloudstate.EntitySpec{
		Proto: descriptors,
		Entities: []*cloudstate.Entity{{
			EntityType:    "cloudstate.eventsourced.EventSourced",
			ServiceName:   "demo.wallets.Wallets",
			PersistenceId: "wallets",
		}},
		ServiceInfo: &cloudstate.ServiceInfo{
			ServiceName:          "wallets",
			ServiceRuntime:       runtime.Version(),
			SupportLibraryName:   "grpc-go",
			ProtocolMajorVersion: 0,
			ProtocolMinorVersion: 2,
		},
	}, nil
}

// addWithImports puts imports before the file that has them.
func addWithImports(set *descriptorpb.FileDescriptorSet, file protoreflect.FileDescriptor, seen map[string]bool) {
	if seen[file.Path()] {
		return
	}
	seen[file.Path()] = true
	imports := file.Imports()
	for i := 0; i < imports.Len(); i++ {
		addWithImports(set, imports.Get(i).FileDescriptor, seen)
	}
	set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
}

// ReportError is how Mecha says what it does not like.
func (discovery) ReportError(_ context.Context, problem *cloudstate.UserFunctionError) (*emptypb.Empty, error) {
	log.Print(problem.Message)
	return &emptypb.Empty{}, nil
}

func main() {
	listener, err := net.Listen("tcp", net.JoinHostPort(os.Getenv("HOST"), os.Getenv("PORT")))
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer()
	cloudstate.RegisterEntityDiscoveryServer(s, discovery{})
	eventsourced.RegisterEventSourcedServer(s, server{})
	log.Fatal(s.Serve(listener))
}
