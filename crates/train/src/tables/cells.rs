//! The cells of the tables: which network, begun how.

use serde::{Deserialize, Serialize};

use super::{Scale, Table};
use crate::model::{Architecture, Backbone, Head, Method};

/// A cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Cell {
    /// The first table that has it.
    pub table: Table,
    /// The network.
    pub architecture: Architecture,
    /// Convolutions of each stack that stay as they are.
    pub freeze: usize,
    /// Whether the stacks begin with weights that were trained elsewhere.
    pub pretrained: bool,
}

impl Cell {
    /// What makes it different, as a folder's name.
    pub fn name(&self) -> String {
        let a = &self.architecture;
        format!("{}-{}-{}-{}-freeze-{}", self.table, a.method, a.head, a.backbone, self.freeze)
    }

    /// What it is called in its table.
    pub fn label(&self) -> String {
        let a = &self.architecture;
        match self.table {
            Table::I | Table::Ii => a.backbone.to_string(),
            Table::Iii => format!("{}, n = {}", a.method, self.freeze),
            Table::V => format!("n = {}", self.freeze),
            Table::Vi => format!("{}, {}", a.method, a.head),
        }
    }
}

/// The cells of `tables` at a scale.
pub fn cells(tables: &[Table], scale: &Scale) -> Vec<Cell> {
    let network = |backbone: Backbone, method, head| Architecture {
        backbone,
        divisor: scale.divisor,
        method,
        head,
        side_px: scale.side_px as usize,
        ..Architecture::default()
    };
    let mut all = Vec::new();
    for &table in tables {
        let mut add = |architecture, freeze, pretrained| {
            all.push(Cell { table, architecture, freeze, pretrained });
        };
        match table {
            Table::I | Table::Ii => {
                let method =
                    if table == Table::I { Method::Conventional } else { Method::Elastography };
                for &backbone in Backbone::ALL {
                    let head = match backbone {
                        Backbone::Vgg16 | Backbone::Alexnet => Head::Fc,
                        _ => Head::Gap,
                    };
                    // The paper's VGG16 and AlexNet have none; from random weights a plain VGG16 finds
                    // no way out of even odds on B-mode.
                    let norm = matches!(backbone, Backbone::Vgg16 | Backbone::Alexnet);
                    add(Architecture { norm, ..network(backbone, method, head) }, 0, false);
                }
            }
            Table::Iii => {
                for method in [Method::Conventional, Method::Elastography] {
                    for &freeze in &scale.freezes {
                        add(network(Backbone::Vgg16, method, Head::Fc), freeze, true);
                    }
                }
            }
            Table::V => {
                for &freeze in &scale.freezes {
                    add(network(Backbone::Vgg16, Method::FusionFirst, Head::Fc), freeze, true);
                }
            }
            Table::Vi => {
                for &head in Head::ALL {
                    for &method in Method::ALL {
                        add(network(Backbone::Vgg16, method, head), 6, true);
                    }
                }
            }
        }
    }
    all
}
