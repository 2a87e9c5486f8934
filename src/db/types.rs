//! How ids and text enums of the domain are written to and read from columns, on either database.

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql};
use diesel::serialize::{self, Output, ToSql};
use diesel::sql_types::Text;

use crate::domain::access::{Role, Scope};
use crate::domain::audit::Action;
use crate::domain::ids::{ApiKeyId, BrandId, CampaignId, ExternalId, OrgId};
use crate::domain::organization::OrganizationKind;
use crate::domain::quiet_hours::QuietHoursMode;
use crate::domain::registry::RegistrationStatus;
use crate::domain::text_enum::TextEnum;

macro_rules! id_columns {
    ($($name:ident),+ $(,)?) => {$(
        impl<DB: Backend> ToSql<Text, DB> for $name
        where
            str: ToSql<Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.as_str().to_sql(out)
            }
        }

        impl<DB: Backend> FromSql<Text, DB> for $name
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                String::from_sql(bytes).map(Self::from_stored)
            }
        }
    )+};
}

macro_rules! text_enum_columns {
    ($($name:ident),+ $(,)?) => {$(
        impl<DB: Backend> ToSql<Text, DB> for $name
        where
            str: ToSql<Text, DB>,
        {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
                self.as_str().to_sql(out)
            }
        }

        impl<DB: Backend> FromSql<Text, DB> for $name
        where
            String: FromSql<Text, DB>,
        {
            fn from_sql(bytes: DB::RawValue<'_>) -> deserialize::Result<Self> {
                let text = String::from_sql(bytes)?;
                Self::parse(&text)
                    .ok_or_else(|| format!("{text:?} is no {}", stringify!($name)).into())
            }
        }
    )+};
}

id_columns!(OrgId, ApiKeyId, BrandId, CampaignId, ExternalId);
text_enum_columns!(
    OrganizationKind,
    QuietHoursMode,
    RegistrationStatus,
    Action,
    Role,
    Scope
);
