package main

import (
	"fmt"
	"io"

	"example.com/wallets/gen/cloudstate"
	"example.com/wallets/gen/eventsourced"
	"example.com/wallets/gen/wallets"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// A snapshot after so many events spares the replay of all of them.
const snapshotEvery = 5

// server has a stream for each wallet that is active.
type server struct {
	eventsourced.UnimplementedEventSourcedServer
}

// wallet is one of them: its state, and the sequence of its last event.
type wallet struct {
	cents    int32
	sequence int64
}

// Handle is the life of one wallet: init, the events stored since the snapshot, then commands, one at a time. Mecha ends it.
func (server) Handle(stream eventsourced.EventSourced_HandleServer) error {
	var w wallet
	for {
		in, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch message := in.Message.(type) {
		case *eventsourced.EventSourcedStreamIn_Init:
			err = w.load(message.Init.Snapshot)
		case *eventsourced.EventSourcedStreamIn_Event:
			err = w.replay(message.Event)
		case *eventsourced.EventSourcedStreamIn_Command:
			var reply *eventsourced.EventSourcedReply
			if reply, err = w.command(message.Command); err == nil {
				err = stream.Send(&eventsourced.EventSourcedStreamOut{Message: &eventsourced.EventSourcedStreamOut_Reply{Reply: reply}})
			}
		}
		if err != nil {
			return err
		}
	}
}

func (w *wallet) load(snapshot *eventsourced.EventSourcedSnapshot) error {
	if snapshot == nil {
		return nil
	}
	var saved wallets.Saved
	w.sequence = snapshot.SnapshotSequence
	err := snapshot.Snapshot.UnmarshalTo(&saved)
	w.cents = saved.Cents
	return err
}

func (w *wallet) replay(event *eventsourced.EventSourcedEvent) error {
	var changed wallets.Changed
	err := event.Payload.UnmarshalTo(&changed)
	w.apply(&changed)
	return err
}

func (w *wallet) apply(event *wallets.Changed) {
	w.cents += event.Cents
	w.sequence++
}

// command decides. What it emits is stored before the caller hears of it.
func (w *wallet) command(command *cloudstate.Command) (*eventsourced.EventSourcedReply, error) {
	if command.Name == "GetBalance" {
		return w.reply(command)
	}
	var change wallets.Change
	if err := command.Payload.UnmarshalTo(&change); err != nil {
		return nil, err
	}
	switch {
	case command.Name == "Deposit" && change.Cents <= 0:
		return failed(command, "a deposit must be more than 0"), nil
	case command.Name == "Deposit":
		return w.reply(command, &wallets.Changed{Cents: change.Cents})
	case command.Name == "Withdraw" && change.Cents > w.cents:
		return failed(command, fmt.Sprintf("there are only %d cents", w.cents)), nil
	case command.Name == "Withdraw":
		return w.reply(command, &wallets.Changed{Cents: -change.Cents})
	}
	return failed(command, "unknown command "+command.Name), nil
}

// reply applies the events, and answers with them and the balance they lead to.
func (w *wallet) reply(command *cloudstate.Command, events ...*wallets.Changed) (*eventsourced.EventSourcedReply, error) {
	reply := &eventsourced.EventSourcedReply{CommandId: command.Id}
	for _, event := range events {
		w.apply(event)
		payload, err := anypb.New(event)
		if err != nil {
			return nil, err
		}
		reply.Events = append(reply.Events, payload)
		if w.sequence%snapshotEvery == 0 {
			if reply.Snapshot, err = anypb.New(&wallets.Saved{Cents: w.cents}); err != nil {
				return nil, err
			}
		}
	}
	balance, err := anypb.New(proto.Message(&wallets.Balance{Cents: w.cents}))
	if err != nil {
		return nil, err
	}
	answer := &cloudstate.ClientAction_Reply{Reply: &cloudstate.Reply{Payload: balance}}
	reply.ClientAction = &cloudstate.ClientAction{Action: answer}
	return reply, nil
}

func failed(command *cloudstate.Command, why string) *eventsourced.EventSourcedReply {
	failure := &cloudstate.ClientAction_Failure{Failure: &cloudstate.Failure{CommandId: command.Id, Description: why}}
	return &eventsourced.EventSourcedReply{CommandId: command.Id, ClientAction: &cloudstate.ClientAction{Action: failure}}
}
