// Command descriptors prints the protocols that a CSI driver speaks as a protobuf
// FileDescriptorSet, so that the driver needs neither a compiler nor generated code.
package main

import (
	"os"

	csi "github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

func main() {
	set := &descriptorpb.FileDescriptorSet{}
	added := map[string]bool{}
	var add func(file protoreflect.FileDescriptor)
	add = func(file protoreflect.FileDescriptor) {
		if added[file.Path()] {
			return
		}
		added[file.Path()] = true
		for i := 0; i < file.Imports().Len(); i++ {
			add(file.Imports().Get(i).FileDescriptor)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
	}
	add(csi.File_csi_proto)
	add((&registration.PluginInfo{}).ProtoReflect().Descriptor().ParentFile())
	encoded, err := proto.Marshal(set)
	if err != nil {
		panic(err)
	}
	os.Stdout.Write(encoded)
}
