//! Schemas of the types whose form on the wire is not their form in memory, for the OpenAPI
//! document.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    ArrayBuilder, ArrayItems, Object, ObjectBuilder, Schema, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use crate::ids::{
    DEALING_ID_LEN_MAX, PLAYER_ID_LEN_MAX, PartyId, PlayerId, ROOM_ID_LEN_MAX, RoomId, TradeId,
};
use crate::server::TopRow;

fn id(what: &str, len_max: usize) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::String))
        .description(Some(what))
        .pattern(Some(format!("^[a-z0-9_-]{{1,{len_max}}}$")))
        .into()
}

impl PartialSchema for PlayerId {
    fn schema() -> RefOr<Schema> {
        id("A player's id.", PLAYER_ID_LEN_MAX)
    }
}

impl ToSchema for PlayerId {
    fn name() -> Cow<'static, str> {
        "PlayerId".into()
    }
}

impl PartialSchema for RoomId {
    fn schema() -> RefOr<Schema> {
        id("A room's id.", ROOM_ID_LEN_MAX)
    }
}

impl ToSchema for RoomId {
    fn name() -> Cow<'static, str> {
        "RoomId".into()
    }
}

impl PartialSchema for TradeId {
    fn schema() -> RefOr<Schema> {
        id("A trade's id.", DEALING_ID_LEN_MAX)
    }
}

impl ToSchema for TradeId {
    fn name() -> Cow<'static, str> {
        "TradeId".into()
    }
}

impl PartialSchema for PartyId {
    fn schema() -> RefOr<Schema> {
        id("A party's id.", DEALING_ID_LEN_MAX)
    }
}

impl ToSchema for PartyId {
    fn name() -> Cow<'static, str> {
        "PartyId".into()
    }
}

impl PartialSchema for TopRow {
    fn schema() -> RefOr<Schema> {
        let of = |of| Schema::from(Object::with_type(SchemaType::Type(of)));
        let row = [of(Type::String), of(Type::String), of(Type::Integer), of(Type::Integer)];
        ArrayBuilder::new()
            .prefix_items(row)
            .items(ArrayItems::False)
            .description(Some("One place: player, name, score, rank."))
            .into()
    }
}

impl ToSchema for TopRow {
    fn name() -> Cow<'static, str> {
        "TopRow".into()
    }
}
