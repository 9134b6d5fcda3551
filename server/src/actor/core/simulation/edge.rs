//! The edge of the world: sockets in order, clients' moves, and a service that calls.

use bytes::Bytes;

use super::nemesis::PUT_OFF_MS_MAX;
use super::rules::{Act, Cmd, pack};
use super::world::{ACTORS, Event, LATECOMER, NOBODY, Packet, Socket, World};
use crate::actor::contract::Origin;
use crate::actor::core::Input;
use crate::actor::envelope::{Call, CallError, Delivery};

impl World {
    pub fn deliver(&mut self, connection: u64, delivery: Delivery) {
        let ms = self.delay();
        let Some(socket) = self.sockets.get_mut(&connection) else { return };
        if let Delivery::Attached(attached) = &delivery {
            socket.session = attached.session;
        }
        socket.down_ms = socket.down_ms.max(self.now_ms + ms);
        let (at_ms, client) = (socket.down_ms, socket.client);
        self.at(at_ms, Event::Down(client, connection, delivery));
    }

    pub fn send(&mut self, connection: u64, packet: Packet) {
        let ms = self.delay();
        let Some(socket) = self.sockets.get_mut(&connection) else { return };
        socket.up_ms = socket.up_ms.max(self.now_ms + ms);
        let (at_ms, activation) = (socket.up_ms, socket.activation);
        self.at(at_ms, Event::Up(activation, packet));
    }

    pub fn up(&mut self, a: usize, packet: Packet) -> Result<(), String> {
        let input = match packet {
            Packet::Attach(connection, attach) => Input::Attach(connection, attach),
            Packet::Command(command) => Input::Command(command),
            Packet::Read(connection, id) => Input::Read(connection, id, Bytes::new()),
            Packet::Gone(connection) => Input::Detach(connection),
        };
        self.handle(a, input)
    }

    pub fn down(
        &mut self,
        client: usize,
        connection: u64,
        delivery: Delivery,
    ) -> Result<(), String> {
        let who = &mut self.clients[client];
        if who.connection != Some(connection) {
            return Ok(());
        }
        let resent = who.hear(delivery).map_err(|e| format!("client {client}: {e}"))?;
        let again = who.ended && !who.attached;
        who.ended &= !again;
        if again {
            self.after(1, Event::Act(client));
        }
        for packet in resent {
            self.send(connection, packet);
        }
        Ok(())
    }

    /// A client's next move.
    pub fn act(&mut self, client: usize) -> Result<(), String> {
        if !self.faulty() {
            self.clients[client].left = 0;
            // Those who were taken over and don't know are gone by then.
            let gone_ms = self.profile.stale_ms + PUT_OFF_MS_MAX;
            let settled = self.now_ms > self.faults_end_ms() + gone_ms;
            if settled && self.clients[client].done() {
                self.clients[client].ended = true;
                return Ok(());
            }
        }
        let now_ms = self.now_ms;
        let who = &mut self.clients[client];
        let stuck = who.connection.is_some() && !who.attached && now_ms > who.since_ms + 3_000;
        let silent = who.attached && self.rng.one_in(if who.left > 0 { 25 } else { 60 });
        if let Some(connection) = who.connection.filter(|_| stuck || silent) {
            who.lose();
            self.send(connection, Packet::Gone(connection));
        } else if who.connection.is_none() {
            self.connect(client)?;
        } else if who.attached {
            let connection = who.connection.unwrap();
            for packet in who.speak(&mut self.rng, &mut self.nonce) {
                self.send(connection, packet);
            }
        }
        let ms = 5 + self.rng.below(self.profile.pace_ms);
        self.after(ms, Event::Act(client));
        Ok(())
    }

    /// Connects a client where its actor is, or elsewhere, which takes it over.
    fn connect(&mut self, client: usize) -> Result<(), String> {
        let activation = match self.faulty() && self.rng.one_in(6) {
            true => self.take_over(client)?,
            false => self.activate(client)?,
        };
        self.connection += 1;
        let (connection, now_ms) = (self.connection, self.now_ms);
        let socket = Socket { client, activation, session: 0, up_ms: now_ms, down_ms: now_ms };
        self.sockets.insert(connection, socket);
        let attach = self.clients[client].attach(&mut self.rng, connection);
        self.clients[client].since_ms = now_ms;
        self.send(connection, Packet::Attach(connection, attach));
        Ok(())
    }

    /// The service calls: new work while faults last, and repeats of what is open.
    pub fn call(&mut self) -> Result<(), String> {
        if self.faulty() && self.rng.one_in(2) {
            self.nonce += 1;
            let act = match self.rng.below(4) {
                0 if !self.journals[LATECOMER].exists => Act::Deposit(9),
                1.. if !self.journals[LATECOMER].exists => Act::Give(LATECOMER, 1),
                0 => Act::Count,
                1 => Act::Deposit(5),
                _ => Act::Give(self.rng.index(NOBODY + 1), 1 + self.rng.below(9)),
            };
            let some = self.rng.index(ACTORS);
            let actor = if self.journals[some].exists { some } else { 0 };
            let cmd = Cmd { nonce: self.nonce, act };
            self.service.open.insert(self.nonce, (actor, cmd, 0));
        }
        let due = self.service.open.iter().find(|(_, call)| call.2 <= self.now_ms);
        if let Some((actor, cmd)) = due.map(|(_, call)| (call.0, call.1)) {
            self.service.open.insert(cmd.nonce, (actor, cmd, self.now_ms + 2_000));
            self.service.caller += 1;
            let caller = self.service.caller;
            self.service.callers.insert(caller, cmd.nonce);
            let a = self.activate(actor)?;
            let (origin, payload) = (Origin::Service, pack(&cmd));
            let key = Some(format!("call{}", cmd.nonce).into());
            let call = Call { origin, key, payload, creates: false, signal: false };
            self.handle(a, Input::Call(caller, call))?;
        }
        if self.faulty() || !self.service.open.is_empty() {
            self.after(150, Event::Service);
        }
        Ok(())
    }

    pub fn service_answer(&mut self, caller: u64, answer: Result<(), CallError>) {
        let Some(nonce) = self.service.callers.remove(&caller) else { return };
        let ok = match answer {
            Ok(()) => true,
            Err(CallError::Rejected(_)) => false,
            Err(CallError::Pending) => {
                // Whoever still wants to know asks again.
                let now_ms = self.now_ms;
                self.service.open.entry(nonce).and_modify(|call| call.2 = now_ms);
                return;
            }
            Err(_) => return,
        };
        if let Some((actor, cmd, _)) = self.service.open.remove(&nonce) {
            self.service.answered.insert(nonce, (actor, cmd, ok));
        }
    }
}
