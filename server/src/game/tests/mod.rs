//! The rules, checked by behaviour. [`world`] is the tiny runtime that they run in.

mod blows;
mod coins;
mod folding;
mod goods;
mod leaderboard;
mod messages;
mod moves;
mod parties;
mod parties_storm;
mod rooms;
mod saga;
mod scenario;
mod stays;
mod trades;
mod world;
