//! Enums that have one fixed spelling in the database, in the specs and on the command line.
//! Reading and writing them as columns is in `db::types`.

/// An enum whose values are written as fixed text.
pub trait TextEnum: Copy + Sized + 'static {
    /// Every value, in the order in which they are documented.
    const ALL: &'static [Self];

    /// The fixed spelling of this value.
    fn as_str(self) -> &'static str;

    /// The value spelled `text` exactly, or `None`.
    fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|value| value.as_str() == text)
    }
}

/// Declares an enum with its spellings and implements [`TextEnum`] for it.
macro_rules! text_enum {
    (
        $(#[$meta:meta])*
        $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)]
        #[diesel(sql_type = diesel::sql_types::Text)]
        pub enum $name { $($(#[$variant_meta])* $variant,)+ }

        impl $crate::domain::text_enum::TextEnum for $name {
            const ALL: &'static [Self] = &[$(Self::$variant,)+];

            fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

pub(crate) use text_enum;
